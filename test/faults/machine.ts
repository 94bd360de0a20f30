import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { missing as cannotMount } from '../support/machine.js';
import { run, runInside } from './net-lab.js';

/** What some scenarios need besides network namespaces: packets delayed, clocks faked, disks of their own. */
export type Need = 'relay' | 'clock' | 'disk';

/** Commands, and the Debian packages that bring them. */
const TOOLS: Readonly<Record<Need | 'network', Readonly<Record<string, string>>>> = {
  network: { ip: 'iproute2', tc: 'iproute2', ss: 'iproute2', nft: 'nftables', nsenter: 'util-linux' },
  relay: { ethtool: 'ethtool', python3: 'python3' },
  clock: { faketime: 'faketime' },
  disk: { 'mkfs.ext4': 'e2fsprogs', mount: 'mount' },
};

/** True where a command is on the path. */
function has(command: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders.some((folder) => existsSync(`${folder}/${command}`));
}

/** Installs what is missing with apt, as root. @returns why it cannot be had, or undefined */
function installTools(needs: readonly Need[]): string | undefined {
  const packages = (['network', ...needs] as const).flatMap((need) =>
    Object.entries(TOOLS[need])
      .filter(([tool]) => !has(tool))
      .map(([, name]) => name),
  );
  const missing = [...new Set(packages)];
  if (missing.length === 0) return undefined;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...missing]]) {
    const { status, error } = spawnSync('apt-get', ['-qq', ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    if (status !== 0) return `apt-get ${args.join(' ')} failed with ${error?.message ?? String(status)}`;
  }
  return undefined;
}

/** Why this machine cannot do what is needed, in words; undefined where it can. Installs what is missing. */
export function whyNot(needs: readonly Need[]): string | undefined {
  if (process.platform !== 'linux') return `network namespaces are a thing of Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  return installTools(needs) ?? noNamespaces() ?? (needs.includes('disk') ? cannotMount('loop') : undefined);
}

function noNamespaces(): string | undefined {
  const probe = `itf${process.pid}probe`;
  try {
    run('ip', ['netns', 'add', probe]);
    runInside(probe, ['nft', 'add', 'table', 'bridge', 'probe']);
    run('ip', ['-n', probe, 'link', 'add', 'br0', 'type', 'bridge']);
    run('ip', ['-n', probe, 'link', 'add', 'p0', 'type', 'veth', 'peer', 'name', 'p1']);
    return undefined;
  } catch (error) {
    return `this machine forbids network namespaces: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    spawnSync('ip', ['netns', 'del', probe], { stdio: 'ignore' });
  }
}
