import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createClient, type Client } from '@it-chain/client';
import { failure } from '@it-chain/contracts';

/** Where a node of a devnet is. */
export interface DevnetNodeOptions {
  readonly name: string;
  readonly dir: string;
  readonly peerPort: number;
  readonly apiPort: number;
  /** Genesis parameters, should this node found. */
  readonly growth: 'skip-two' | 'immediate';
  /** Starts with --solo: founds at once. */
  readonly solo: boolean;
}

/** A line of `it-chain devnet --json`. */
export interface DevnetNodeJson {
  readonly name: string;
  readonly nodeId: string;
  readonly peer: string;
  readonly api: string;
  readonly bus: string;
  readonly pid: number;
  readonly dir: string;
}

/** How a child ended. */
export interface ChildEnd {
  readonly name: string;
  readonly how: string;
}

/** What a child tells with --json before it ends. */
interface ChildError {
  readonly message?: string;
  readonly hint?: string;
}

const BIN = fileURLToPath(new URL('../bin.js', import.meta.url));
/** How long a child may take to stop before it is killed, in ms: its own limit is 5,000. */
const STOP_MS = 7_000;

/** One node of a devnet: a process of its own, of this same command. */
export class DevnetNode {
  readonly options: DevnetNodeOptions;
  readonly client: Client;
  /** Resolves when the process has ended. */
  ended = new Promise<ChildEnd>(() => undefined);
  #child: ChildProcess | undefined;
  #facts: DevnetNodeJson | undefined;
  #error: ChildError | undefined;

  constructor(options: DevnetNodeOptions) {
    this.options = options;
    this.client = createClient({ address: `127.0.0.1:${options.apiPort}` });
  }

  get peer(): string {
    return `127.0.0.1:${this.options.peerPort}`;
  }

  get logFile(): string {
    return join(this.options.dir, 'node.log');
  }

  get configFile(): string {
    return join(this.options.dir, 'it-chain.config.json');
  }

  /** What the node said when it was ready. */
  get facts(): DevnetNodeJson {
    if (this.#facts === undefined) throw failure('ERR_DEVNET_FAILED', `${this.options.name} is not ready`);
    return this.#facts;
  }

  /** Writes the config and starts the process; resolves when it is ready. @throws ERR_DEVNET_FAILED */
  async start(): Promise<void> {
    const { dir, name, solo } = this.options;
    mkdirSync(dir, { recursive: true });
    writeFileSync(this.configFile, `${JSON.stringify(configOf(this.options), null, 2)}\n`);
    const args = [BIN, 'start', '--config', this.configFile, '--json', ...(solo ? ['--solo'] : [])];
    // In a group of its own, so that Ctrl-C reaches only the devnet, which then stops its nodes; should the devnet be
    // killed, the channel breaks and the node stops by itself.
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], detached: true });
    this.#child = child;
    const log = createWriteStream(this.logFile, { flags: 'a' });
    // The log is for people; a disk that is full must not end the devnet before the nodes say so.
    log.on('error', () => undefined);
    child.stderr?.pipe(log);
    this.#listen(child);
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => {
        resolve({ name, how: error.message });
      });
      child.once('exit', (code, signal) => {
        resolve({ name, how: signal === null ? `exit code ${String(code)}` : signal });
      });
    });
    this.#facts = await Promise.race([this.#ready(child), this.#diedEarly()]);
  }

  /** Asks the process to stop, and kills it when it does not. */
  async stop(): Promise<void> {
    this.client.close();
    const child = this.#child;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await this.ended;
    clearTimeout(force);
  }

  /** Notes the last error that it tells. */
  #listen({ stderr }: ChildProcess): void {
    this.#error = undefined;
    if (stderr === null) return;
    createInterface({ input: stderr }).on('line', (line) => {
      const error = line.startsWith('{"error":') ? (read(line)?.['error'] as ChildError | undefined) : undefined;
      if (typeof error?.message === 'string') this.#error = error;
    });
  }

  #ready(child: ChildProcess): Promise<DevnetNodeJson> {
    const { name, dir } = this.options;
    return new Promise((resolve) => {
      if (child.stdout === null) return;
      createInterface({ input: child.stdout }).on('line', (line) => {
        const said = read(line);
        if (said?.['ready'] !== true) return;
        resolve({
          name,
          nodeId: String(said['nodeId']),
          peer: String(said['peer']),
          api: String(said['api']),
          bus: String(said['bus']),
          pid: child.pid ?? 0,
          dir,
        });
      });
    });
  }

  async #diedEarly(): Promise<never> {
    const { name, how } = await this.ended;
    const { message = how, hint } = this.#error ?? {};
    throw failure('ERR_DEVNET_FAILED', `${name} ended before it was ready: ${message}`, {
      hint: hint ?? `Read ${this.logFile}.`,
    });
  }
}

function read(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    // A line that is no JSON is not from us.
    return undefined;
  }
}

function configOf({ name, dir, peerPort, apiPort, growth }: DevnetNodeOptions): object {
  const plugin = (short: string, section?: object): object => ({
    use: `@it-chain/plugin-${short}`,
    ...(section === undefined ? {} : { with: section }),
  });
  return {
    node: { name, dataDir: join(dir, 'data') },
    bus: { listen: '127.0.0.1:0' },
    plugins: [
      plugin('gateway', {
        peers: { listen: `127.0.0.1:${peerPort}` },
        api: { listen: `127.0.0.1:${apiPort}` },
      }),
      plugin('p2p', { genesis: { growth } }),
      plugin('leveldb'),
      plugin('txpool'),
      plugin('chain'),
      plugin('consensus', { promotion: { healthyMs: 200 } }),
      plugin('kv'),
    ],
  };
}
