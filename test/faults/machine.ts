import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { run, runInside } from './net-lab.js';

/** Commands that the battery needs, and the Debian packages that bring them. */
const TOOLS: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  tc: 'iproute2',
  ss: 'iproute2',
  nft: 'nftables',
  ethtool: 'ethtool',
  faketime: 'faketime',
  python3: 'python3-minimal',
  nsenter: 'util-linux',
};

/** True where a command is on the path. */
function has(command: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders.some((folder) => existsSync(`${folder}/${command}`));
}

/** Installs what is missing with apt, as root. @returns why it cannot be had, or undefined */
export function installTools(): string | undefined {
  const missing = [
    ...new Set(
      Object.keys(TOOLS)
        .filter((tool) => !has(tool))
        .map((tool) => TOOLS[tool] ?? tool),
    ),
  ];
  if (missing.length === 0) return undefined;
  if (process.getuid?.() !== 0) return `${missing.join(', ')} must be installed, and only root can`;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...missing]]) {
    const { status, error } = spawnSync('apt-get', ['-qq', ...args], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    if (status !== 0) return `apt-get ${args.join(' ')} failed with ${error?.message ?? String(status)}`;
  }
  return undefined;
}

/** Why this machine cannot run the battery, in words; undefined where it can. */
export function whyNot(): string | undefined {
  if (process.platform !== 'linux') return `network namespaces are a thing of Linux, this is ${process.platform}`;
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const missing = installTools();
  if (missing !== undefined) return missing;
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
