import { spawn, spawnSync, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { tmpdir } from 'node:os';
import { root, type NodePlace } from '../support/node-process.js';

/** All namespaces of a run begin with this and the id of the process that made them. */
const PREFIX = 'itf';
/** Where clients and the broker are, in the namespace of the switch. */
export const SWITCH_HOST = '10.78.0.254';
const PORTS = { peer: 7_500, api: 7_501 };

/** What every packet of one node's peer link goes through: both ways, so a round trip meets it twice. */
export interface LinkQuality {
  readonly delayMs: number;
  readonly jitterMs: number;
  /** 0..1. */
  readonly loss: number;
}

/** Runs a command. @throws what it wrote to stderr */
export function run(command: string, args: readonly string[], input?: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', input });
  if (status !== 0) {
    throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`);
  }
  return stdout;
}

/** Name of the switch's namespace of a run; its owner is a process id, and a word where it has several. */
export const switchOf = (owner: string): string => `${PREFIX}${owner}sw`;

/** Name of the folder of a run, in the system's temporary directory. */
export const folderOf = (owner: string): string => `it-chain-faults-${owner}`;

/** The command that runs another one in a namespace and becomes it. */
export const inside = (namespace: string): string[] => ['nsenter', `--net=/run/netns/${namespace}`, '--'];

/** Runs a command in a namespace. @throws what it wrote to stderr */
export function runInside(namespace: string, args: readonly string[]): string {
  return run('nsenter', [`--net=/run/netns/${namespace}`, '--', ...args]);
}

/** Starts a command in a namespace. */
export function spawnInside(namespace: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn('nsenter', [`--net=/run/netns/${namespace}`, '--', ...args], options);
}

/** Removes what runs that are gone have left, and the run `pid`: namespaces, the processes in them, disks, folders. */
export function sweep(pid?: number): void {
  for (const name of namespaces()) {
    const owner = Number(/^itf(\d+)/.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(owner) || (owner !== pid && isAlive(owner))) continue;
    const { stdout } = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' });
    for (const left of stdout.split('\n').filter((line) => /^\d+$/.test(line))) {
      if (Number(left) !== process.pid) end(Number(left));
    }
    spawnSync('ip', ['netns', 'del', name]);
  }
  for (const path of folders(tmpdir())) {
    const owner = Number(/^it-chain-faults-(\d+)/.exec(basename(path))?.[1] ?? Number.NaN);
    if (Number.isNaN(owner) || (owner !== pid && isAlive(owner))) continue;
    for (const [, mounted = ''] of readFileSync('/proc/mounts', 'utf8').matchAll(/^\S+ (\S+) /gm)) {
      if (mounted.startsWith(`${path}/`)) spawnSync('umount', ['-l', mounted]);
    }
    rmSync(path, { recursive: true, force: true });
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}

const folders = (parent: string): string[] => readdirSync(parent).map((name) => join(parent, name));

function namespaces(): string[] {
  try {
    return readdirSync('/run/netns');
  } catch {
    // No namespace was ever made on this machine.
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Hosts in network namespaces of their own on one bridge, which is in a namespace too: the machine's own network never
 * sees them. Each host has a second link for clients, which no fault touches. Runs inside the switch's namespace.
 */
export class NetLab {
  readonly count: number;
  readonly #owner: string;
  readonly #relays: ChildProcess[] = [];

  /** Makes `count` hosts, numbered from 1. @throws where the machine does not let it */
  constructor(options: { readonly count: number; readonly owner: string; readonly quality?: LinkQuality | undefined }) {
    this.count = options.count;
    this.#owner = `${PREFIX}${options.owner}`;
    try {
      this.#bridges();
      for (let host = 1; host <= options.count; host += 1) this.#host(host, options.quality);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** Where the node of a host runs. */
  place(host: number): NodePlace {
    const hosts = { peer: `10.77.0.${host}`, api: `10.78.0.${host}` };
    return { command: inside(this.namespace(host)), hosts, ports: PORTS };
  }
  namespace(host: number): string {
    return `${this.#owner}n${host}`;
  }

  /** Drops everything between two groups of hosts. */
  cut(some: readonly number[], others: readonly number[]): void {
    for (const a of some) for (const b of others) this.#drop([`p${a} . p${b}`, `p${b} . p${a}`]);
  }
  /** Drops everything from one host to another; the way back stays open. */
  cutOneWay(from: number, to: number): void {
    this.#drop([`p${from} . p${to}`]);
  }
  /** Undoes every cut. */
  heal(): void {
    run('nft', ['flush', 'set', 'bridge', 'part', 'pairs']);
  }
  /** Takes the peer link of a host down or up. */
  link(host: number, state: 'up' | 'down'): void {
    run('ip', ['link', 'set', `p${host}`, state]);
  }
  /** Limits what a host sends to its peers, such as `1mbit`; undefined: no limit. */
  limit(host: number, rate: string | undefined): void {
    const shape = rate === undefined ? [] : ['tbf', 'rate', rate, 'burst', '32kbit', 'latency', '400ms'];
    const verb = rate === undefined ? 'del' : 'replace';
    runInside(this.namespace(host), ['tc', 'qdisc', verb, 'dev', 'eth0', 'root', ...shape]);
  }
  /** Established connections of a host to each other host's address on the peer network. */
  connections(host: number): Map<string, number> {
    const counts = new Map<string, number>();
    const lines = runInside(this.namespace(host), ['ss', '-Htn', 'state', 'established']).split('\n');
    for (const line of lines) {
      const [, , , far = ''] = line.trim().split(/\s+/);
      const address = /^(10\.77\.0\.\d+):/.exec(far)?.[1];
      if (address !== undefined) counts.set(address, (counts.get(address) ?? 0) + 1);
    }
    return counts;
  }

  remove(): void {
    for (const relay of this.#relays.splice(0)) relay.kill('SIGKILL');
    for (let host = 1; host <= this.count; host += 1) {
      // By name: with its namespace a link goes only some time later.
      for (const link of ['p', 'q']) spawnSync('ip', ['link', 'del', `${link}${host}`]);
      for (const name of [`n${host}`, `m${host}`]) spawnSync('ip', ['netns', 'del', `${this.#owner}${name}`]);
    }
    for (const bridge of ['br0', 'br1']) spawnSync('ip', ['link', 'del', bridge]);
    spawnSync('nft', ['delete', 'table', 'bridge', 'part']);
  }

  #bridges(): void {
    run('ip', ['link', 'set', 'lo', 'up']);
    for (const bridge of ['br0', 'br1']) {
      run('ip', ['link', 'add', bridge, 'type', 'bridge']);
      run('ip', ['link', 'set', bridge, 'up']);
    }
    run('ip', ['addr', 'add', `${SWITCH_HOST}/24`, 'dev', 'br1']);
    const rules = `table bridge part {
      set pairs { type ifname . ifname; }
      chain f { type filter hook forward priority 0; policy accept; iifname . oifname @pairs drop; }
    }`;
    run('nft', ['-f', '-'], rules);
  }

  #host(host: number, quality: LinkQuality | undefined): void {
    const name = this.namespace(host);
    run('ip', ['netns', 'add', name]);
    run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    if (quality === undefined) {
      run('ip', ['link', 'add', `p${host}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name]);
    } else this.#relay(host, quality);
    run('ip', ['link', 'add', `q${host}`, 'type', 'veth', 'peer', 'name', 'eth1', 'netns', name]);
    for (const [link, bridge] of [
      [`p${host}`, 'br0'],
      [`q${host}`, 'br1'],
    ] as const) {
      run('ip', ['link', 'set', link, 'master', bridge, 'up']);
    }
    for (const [link, net] of [
      ['eth0', 77],
      ['eth1', 78],
    ] as const) {
      run('ip', ['-n', name, 'link', 'set', link, 'up']);
      run('ip', ['-n', name, 'addr', 'add', `10.${net}.0.${host}/24`, 'dev', link]);
    }
  }

  /** Puts a namespace with a relay of packets between a host and the bridge. */
  #relay(host: number, { delayMs, jitterMs, loss }: LinkQuality): void {
    const middle = `${this.#owner}m${host}`;
    run('ip', ['netns', 'add', middle]);
    run('ip', ['link', 'add', `p${host}`, 'type', 'veth', 'peer', 'name', 'xb', 'netns', middle]);
    run('ip', [
      '-n',
      middle,
      'link',
      'add',
      'xa',
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      this.namespace(host),
    ]);
    const plain = ['tso', 'off', 'gso', 'off', 'gro', 'off', 'tx', 'off'];
    for (const link of ['xa', 'xb']) runInside(middle, ['ethtool', '-K', link, ...plain]);
    runInside(this.namespace(host), ['ethtool', '-K', 'eth0', ...plain]);
    run('ethtool', ['-K', `p${host}`, ...plain]);
    for (const link of ['xa', 'xb']) run('ip', ['-n', middle, 'link', 'set', link, 'up']);
    const script = join(root, 'test', 'faults', 'relay.py');
    const args = ['python3', script, 'xa', 'xb', String(delayMs), String(jitterMs), String(loss)];
    this.#relays.push(spawnInside(middle, args, { stdio: ['ignore', 'ignore', 'inherit'] }));
  }

  #drop(pairs: readonly string[]): void {
    run('nft', ['add', 'element', 'bridge', 'part', 'pairs', `{ ${pairs.join(', ')} }`]);
  }
}
