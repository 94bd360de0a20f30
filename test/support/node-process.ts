import { spawn, type ChildProcess } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createClient, type Client } from '@it-chain/client';
import { freePort } from './free-port.js';
import { timeFactor } from './until.js';

/** The repository. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const bin = join(root, 'packages', 'cli', 'dist', 'bin.js');

/** How a node of a test is made. */
export interface NodeOptions {
  readonly name: string;
  /** Where its config and data go. */
  readonly dir: string;
  /** Broker instead of the embedded server. */
  readonly busUrl?: string | undefined;
  /** Neither: the bus is in the memory of the process. */
  readonly busInMemory?: boolean | undefined;
  /** Sections of plugins by short name: `{ txpool: { maxCount: 10 } }`. */
  readonly sections?: Readonly<Record<string, object>> | undefined;
  /** Instead of `@it-chain/plugin-kv`. */
  readonly application?: string | undefined;
  /** Other plugins by the short name of the one whose place they take: `{ leveldb: '@it-chain/plugin-memory' }`. */
  readonly swap?: Readonly<Record<string, string>> | undefined;
  /** Further entries of the list of plugins. */
  readonly plugins?: readonly object[] | undefined;
  readonly args?: readonly string[] | undefined;
  /** Variables besides those of this process; `undefined` takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Instead of `@it-chain/plugin-consensus`. */
  readonly consensus?: string | undefined;
  /** Its section. */
  readonly consensusConfig?: object | undefined;
  /** Default: beside the test, on loopback. */
  readonly place?: NodePlace | undefined;
}

/** Where a node runs when it is not beside the test: in a network namespace, say. */
export interface NodePlace {
  /** What stands before the command, such as `nsenter --net=...`. It must become the node, not its parent. */
  readonly command: readonly string[];
  /** Address for peers, and one for clients. */
  readonly hosts: { readonly peer: string; readonly api: string };
  readonly ports: { readonly peer: number; readonly api: number };
}

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A line of `it-chain start --json`. */
export type StartLine = Readonly<Record<string, unknown>>;

/** A real node in a process of its own. */
export class NodeProcess {
  readonly name: string;
  readonly dataDir: string;
  readonly configFile: string;
  readonly peerPort: number;
  readonly apiPort: number;
  /** What `start --json` printed since the last start. */
  lines: StartLine[] = [];
  /** The end of what it wrote to stderr, for messages. */
  stderr = '';
  nodeId = '';
  readonly #args: readonly string[];
  /** Variables of its next start; see {@link NodeOptions.env}. */
  env: Readonly<Record<string, string | undefined>>;
  readonly #place: NodePlace;
  #child: ChildProcess | undefined;
  #ended: Promise<Ended> | undefined;
  #client: Client | undefined;

  private constructor(options: NodeOptions, place: NodePlace) {
    this.name = options.name;
    this.dataDir = join(options.dir, options.name);
    this.peerPort = place.ports.peer;
    this.apiPort = place.ports.api;
    this.#place = place;
    this.#args = options.args ?? [];
    this.env = options.env ?? {};
    mkdirSync(options.dir, { recursive: true });
    this.configFile = join(options.dir, `${options.name}.json`);
    writeFileSync(this.configFile, JSON.stringify(configOf(options, this.dataDir, place), null, 2));
  }

  /** Writes the config; nothing runs yet. */
  static async create(options: NodeOptions): Promise<NodeProcess> {
    const hosts = { peer: '127.0.0.1', api: '127.0.0.1' };
    const ports = options.place?.ports ?? { peer: await freePort(), api: await freePort() };
    return new NodeProcess(options, options.place ?? { command: [], hosts, ports });
  }

  /** Another process of this node that runs these roles only; it must be told the id of the node before it starts. */
  part(roles: string): NodeProcess {
    const dir = join(dirname(this.configFile), `${this.name}-parts`);
    mkdirSync(dir, { recursive: true });
    const name = `${this.name}.${roles.replaceAll(',', '-')}`;
    const part = new NodeProcess({ name, dir, args: ['--only', roles] }, this.#place);
    writeFileSync(part.configFile, readFileSync(this.configFile));
    return part;
  }
  /** Writes the id of the node into the config: a process without its key must be told who it is. */
  belongTo(nodeId: string): void {
    const config = JSON.parse(readFileSync(this.configFile, 'utf8')) as { readonly node: object };
    writeFileSync(this.configFile, JSON.stringify({ ...config, node: { ...config.node, id: nodeId } }, null, 2));
  }

  /** `HOST:PORT` for peers. */
  get peer(): string {
    return `${this.#place.hosts.peer}:${this.peerPort}`;
  }
  /** `HOST:PORT` of the API. */
  get api(): string {
    return `${this.#place.hosts.api}:${this.apiPort}`;
  }
  get pid(): number {
    return this.#child?.pid ?? 0;
  }
  /** True from its start to its end, whoever ended it. */
  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }
  /** A client that lives until the node is stopped. */
  get client(): Client {
    this.#client ??= createClient({ address: this.api, token: this.token() });
    return this.#client;
  }
  /** The admin token, as the CLI reads it. */
  token(): string {
    return readFileSync(join(this.dataDir, 'api.token'), 'utf8').trim();
  }

  /** Starts the process and waits until it is ready. */
  async start(extra: readonly string[] = []): Promise<this> {
    const ready = this.launch(extra);
    const end = timeFactor * 20_000;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.name} was not ready in ${end} ms\n${this.stderr}`)), end);
    });
    try {
      await Promise.race([ready, late]);
    } finally {
      clearTimeout(timer);
    }
    return this;
  }

  /** Starts the process; resolves when it is ready, rejects when it ends before. */
  launch(extra: readonly string[] = []): Promise<void> {
    this.lines = [];
    this.stderr = '';
    const node = [process.execPath, bin, 'start', '--config', this.configFile, '--json', ...this.#args, ...extra];
    const [command = process.execPath, ...args] = [...this.#place.command, ...node];
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...this.env } });
    this.#child = child;
    child.stderr.on('data', (chunk: Buffer) => {
      this.stderr = (this.stderr + chunk.toString()).slice(-16_384);
      const logs = process.env['TEST_LOG_DIR'];
      if (logs !== undefined) appendFileSync(join(logs, `${this.name}.log`), chunk);
    });
    this.#ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    return new Promise((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        const read = parse(line);
        if (read === undefined) return;
        this.lines.push(read);
        if (typeof read['nodeId'] === 'string') this.nodeId = read['nodeId'];
        if (read['ready'] === true) resolve();
      });
      void this.#ended?.then(({ code, signal }) =>
        reject(new Error(`${this.name} ended with ${String(code ?? signal)} before it was ready\n${this.stderr}`)),
      );
    });
  }

  /** Resolves when the process is gone. */
  ended(): Promise<Ended> {
    return this.#ended ?? Promise.resolve({ code: null, signal: null });
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    this.#client?.close();
    this.#client = undefined;
    const child = this.#child;
    if (child?.exitCode !== null || child.signalCode !== null) return this.ended();
    child.kill(signal);
    const force = setTimeout(() => child.kill('SIGKILL'), timeFactor * 10_000);
    const ended = await this.ended();
    clearTimeout(force);
    return ended;
  }

  /** kill -9. */
  kill(): Promise<Ended> {
    return this.stop('SIGKILL');
  }

  /** Freezes or thaws the process. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }
}

function parse(line: string): StartLine | undefined {
  try {
    return JSON.parse(line) as StartLine;
  } catch {
    // Lines that are not JSON are the logs of a library; the test reads facts only.
    return undefined;
  }
}

const isTable = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const FAST: Readonly<Record<string, object>> = {
  consensus: { baseTimeoutMs: 1_000, promotion: { healthyMs: 200 } },
};

function busOf({ busUrl, busInMemory }: NodeOptions): object {
  if (busInMemory === true) return { memory: true };
  return busUrl === undefined ? { listen: '127.0.0.1:0' } : { url: busUrl };
}

function configOf(options: NodeOptions, dataDir: string, { hosts, ports }: NodePlace): object {
  // Beyond loopback the API has TLS or says that it has none: these namespaces hold nothing but the test.
  const open = hosts.api === '127.0.0.1' ? {} : { insecure: true };
  const section = (name: string, own: object = {}): object => {
    const merged: Record<string, unknown> = { ...FAST[name], ...own };
    // One level deep, so that a test can set a limit of the API and keep its address.
    for (const [key, value] of Object.entries(options.sections?.[name] ?? {})) {
      merged[key] = isTable(merged[key]) && isTable(value) ? { ...merged[key], ...value } : value;
    }
    return merged;
  };
  const plugin = (name: string, own?: object): object => ({
    use: options.swap?.[name] ?? `@it-chain/plugin-${name}`,
    // The settings of a plugin are not those of the one that takes its place.
    with: options.swap?.[name] === undefined ? section(name, own) : { ...own, ...options.sections?.[name] },
  });
  return {
    node: { name: options.name, dataDir },
    bus: busOf(options),
    log: { level: process.env['TEST_LOG_LEVEL'] ?? 'info' },
    plugins: [
      plugin('gateway', {
        peers: { listen: `${hosts.peer}:${ports.peer}` },
        api: { listen: `${hosts.api}:${ports.api}`, ...open },
      }),
      plugin('p2p'),
      plugin('leveldb'),
      plugin('txpool'),
      plugin('chain'),
      options.consensus === undefined
        ? plugin('consensus')
        : { use: options.consensus, with: options.consensusConfig ?? {} },
      options.application === undefined ? plugin('kv') : { use: options.application, with: section('kv') },
      ...(options.plugins ?? []),
    ],
  };
}
