import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, watch, type FSWatcher } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failure } from '@it-chain/contracts';
import type { Io } from '../terminal/io.js';

/** What is watched and run. */
export interface DevOptions {
  /** The folder of the plugin. */
  readonly folder: string;
  /** Arguments of `it-chain start`. */
  readonly start: readonly string[];
  /** How long after the last change the node is started again, in ms: a compiler writes many files. */
  readonly quietMs: number;
}

/** Files that may come and go without a meaning for the node. */
const IGNORED = /(?:^|[/\\])(?:node_modules|data|\.[^/\\]*)(?:[/\\]|$)|\.(?:map|tsbuildinfo|tmp)$|\.test\.js$|~$/;
const WATCHED = /\.(?:js|mjs|cjs|yaml|yml|json)$/;

/**
 * Runs the compiler of the plugin, where it has one, and a node of its own, which is stopped and started again after each
 * change of what it was built to. A node that does not start stays down until the next change.
 */
export class DevNode {
  readonly #options: DevOptions;
  readonly #io: Io;
  #compiler: ChildProcess | undefined;
  #node: ChildProcess | undefined;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #restart: Promise<void> = Promise.resolve();
  #stopped = false;
  /** The fingerprint of what the running node was started with. */
  #seen = '';

  constructor(options: DevOptions, io: Io) {
    this.#options = options;
    this.#io = io;
  }

  /** Runs until the signal; resolves when both processes are gone. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#build();
    this.#watcher = watch(this.#options.folder, { recursive: true }, (_kind, name) => {
      if (name !== null && counts(name)) this.#changed();
    });
    this.#start();
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#watcher.close();
    await this.#restart;
    await Promise.all([end(this.#compiler), end(this.#node)]);
  }

  /** Builds once, so that the node has something to load, and keeps the compiler watching. */
  async #build(): Promise<void> {
    const { folder } = this.#options;
    if (!existsSync(join(folder, 'tsconfig.json'))) return;
    const compiler = compilerOf(folder);
    const first = this.#spawn(process.execPath, [compiler, '-p', folder]);
    const code = await new Promise<number | null>((resolve) => first.once('close', resolve));
    if (code !== 0) this.#io.err('the plugin does not build; the node starts when it does\n');
    this.#compiler = this.#spawn(process.execPath, [compiler, '-p', folder, '--watch', '--preserveWatchOutput']);
  }

  #changed(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#restart = this.#restart.then(async () => {
        // A compiler also writes files anew that are as they were.
        if (this.#stopped || fingerprint(this.#options.folder) === this.#seen) return;
        this.#io.err('changed: starting the node again\n');
        await end(this.#node);
        this.#start();
      });
    }, this.#options.quietMs);
  }

  #start(): void {
    if (this.#stopped) return;
    this.#seen = fingerprint(this.#options.folder);
    const command = fileURLToPath(new URL('../bin.js', import.meta.url));
    // With a channel to it, so that it stops when this process is gone, however that went.
    this.#node = this.#spawn(process.execPath, [command, 'start', ...this.#options.start], true);
  }

  #spawn(command: string, args: readonly string[], channel = false): ChildProcess {
    const child = spawn(command, args, {
      cwd: this.#options.folder,
      env: this.#io.env as NodeJS.ProcessEnv,
      stdio: ['ignore', 'pipe', 'pipe', ...(channel ? (['ipc'] as const) : [])],
    });
    child.stdout?.on('data', (text: Buffer) => {
      this.#io.out(text.toString());
    });
    child.stderr?.on('data', (text: Buffer) => {
      this.#io.err(text.toString());
    });
    return child;
  }
}

const counts = (path: string): boolean => WATCHED.test(path) && !IGNORED.test(path);

/** Hash of the contents of everything that a node may load from the folder. */
function fingerprint(folder: string): string {
  const hash = createHash('sha256');
  const walk = (below: string): void => {
    for (const entry of readdirSync(join(folder, below), { withFileTypes: true })) {
      const path = join(below, entry.name);
      if (entry.isDirectory()) {
        if (!IGNORED.test(path)) walk(path);
      } else if (entry.isFile() && counts(path)) hash.update(`${path}\0`).update(contentOf(join(folder, path)));
    }
  };
  walk('');
  return hash.digest('hex');
}

function contentOf(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch {
    // Gone since the folder was read; that is another change, which is told too.
    return new Uint8Array(0);
  }
}

/** @throws ERR_CLI_USAGE where the plugin has a tsconfig.json and no compiler */
function compilerOf(folder: string): string {
  try {
    return createRequire(join(folder, 'package.json')).resolve('typescript/bin/tsc');
  } catch (cause) {
    throw failure('ERR_CLI_USAGE', `typescript is not installed in ${folder}`, { hint: 'npm install', cause });
  }
}

/** Asks a process to end and waits for it. */
async function end(child: ChildProcess | undefined): Promise<void> {
  if (child?.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  await closed;
}
