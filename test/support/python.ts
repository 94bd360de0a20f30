import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { root } from './node-process.js';

/** A program of one of the Python examples, in a process of its own. */
export class PythonProcess {
  /** The end of what it logged. */
  log = '';
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;

  constructor(example: string, args: readonly string[]) {
    const folder = join(root, 'examples', example);
    this.#child = spawn(join(folder, '.venv', 'bin', 'python'), [...args], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.log = (this.log + chunk.toString()).slice(-16_384);
    });
    this.#ended = new Promise((resolve) => this.#child.once('exit', resolve));
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ends it and waits; gives its exit code, null where a signal ended it. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.running) this.#child.kill(signal);
    return this.#ended;
  }
}

/** Runs a program of a Python example to its end and gives what it printed. Throws where it fails. */
export function runPython(example: string, args: readonly string[]): string {
  const folder = join(root, 'examples', example);
  const { status, stdout, stderr } = spawnSync(join(folder, '.venv', 'bin', 'python'), [...args], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 300_000,
  });
  if (status !== 0) throw new Error(`${example}: ${args.join(' ')} ended with ${String(status)}: ${stdout}${stderr}`);
  return stdout;
}
