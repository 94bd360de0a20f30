import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createClient, type Client } from '@it-chain/client';
import { main } from 'create-it-chain-plugin';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const command = join(root, 'packages', 'cli', 'dist', 'bin.js');
/** Waits of these tests are limits against hanging, no expectations. */
export const limitMs = 30_000 * Number(process.env['TEST_TIME_FACTOR'] ?? 6);

/** A scaffolded package in a folder of its own, with the workspace in the place of what npm would install. */
export class Workbench {
  readonly parent = mkdtempSync(join(tmpdir(), 'it-chain-scaffold-'));
  readonly folder: string;
  readonly #children = new Set<ChildProcess>();
  readonly #clients: Client[] = [];

  private constructor(name: string) {
    this.folder = join(this.parent, name);
  }

  static async create(name: string, kind: string): Promise<Workbench> {
    const bench = new Workbench(name);
    const io = { out: () => undefined, err: (text: string) => process.stderr.write(text), cwd: bench.parent };
    const code = await main([name, '--kind', kind, '--no-interactive'], io);
    if (code !== 0) throw new Error(`no package of kind ${kind} was made`);
    symlinkSync(join(root, 'node_modules'), join(bench.folder, 'node_modules'), 'dir');
    return bench;
  }

  /** Builds with the compiler of the workspace and runs the tests of the package; gives how many passed. */
  async buildAndTest(): Promise<number> {
    const modules = join(root, 'node_modules');
    await this.run([join(modules, 'typescript7', 'bin', 'tsc')]);
    const out = await this.run([join(modules, 'mocha', 'bin', 'mocha.js'), 'dist/test']);
    return Number(/(\d+) passing/.exec(out)?.[1] ?? 0);
  }

  /** Runs a script of Node in the folder to its end; gives its output. @throws where it fails */
  run(args: readonly string[], cwd = this.folder): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = this.#spawn(args, cwd);
      let out = '';
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text: Buffer) => (out += text.toString()));
      child.once('close', (code) => {
        if (code === 0) resolve(out);
        else reject(new Error(`${args.join(' ')} ended with ${String(code)}\n${out}`));
      });
    });
  }

  /** The command `it-chain`, to its end. */
  itChain(args: readonly string[], cwd = this.folder): Promise<string> {
    return this.run([command, ...args], cwd);
  }

  /** Starts the command `it-chain` with --json; lines can be waited for one after the other. */
  follow(args: readonly string[]): Following {
    return new Following(this.#spawn([command, ...args, '--json'], this.folder));
  }

  /** A client of a node that said it is ready. */
  client(ready: Readonly<Record<string, unknown>>): Client {
    const client = createClient({ address: String(ready['api']) });
    this.#clients.push(client);
    return client;
  }

  async remove(): Promise<void> {
    for (const client of this.#clients) client.close();
    await Promise.all([...this.#children].map((child) => endOf(child)));
    rmSync(this.parent, { recursive: true, force: true });
  }

  #spawn(args: readonly string[], cwd: string): ChildProcess {
    const env = { ...process.env, IT_CHAIN_GATEWAY__API__LISTEN: '127.0.0.1:0', NO_COLOR: '1' };
    const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#children.add(child);
    child.once('close', () => this.#children.delete(child));
    return child;
  }
}

/** A process that prints lines of JSON. */
export class Following {
  readonly #lines: Readonly<Record<string, unknown>>[] = [];
  readonly #child: ChildProcess;
  #wake: () => void = () => undefined;
  #taken = 0;
  #err = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null || child.stderr === null) throw new Error('no pipes');
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.startsWith('{')) return;
      this.#lines.push(JSON.parse(line) as Record<string, unknown>);
      this.#wake();
    });
    child.stderr.on('data', (text: Buffer) => (this.#err = (this.#err + text.toString()).slice(-5_000)));
    child.once('close', () => {
      this.#wake();
    });
  }

  /** The next line that has the key. */
  async next(key: string): Promise<Readonly<Record<string, unknown>>> {
    const end = performance.now() + limitMs;
    for (;;) {
      while (this.#taken < this.#lines.length) {
        const line = this.#lines[this.#taken++];
        if (line !== undefined && key in line) return line;
      }
      if (this.#child.exitCode !== null || performance.now() > end) {
        throw new Error(`no line with "${key}" came (exit ${String(this.#child.exitCode)})\n${this.#err}`);
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, 100);
      });
    }
  }

  async stop(): Promise<void> {
    await endOf(this.#child);
  }
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  await closed;
}
