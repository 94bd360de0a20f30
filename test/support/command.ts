import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from './node-process.js';

/** How a command ended, and what it said. */
export interface Run {
  readonly code: number | null;
  readonly json: Readonly<Record<string, unknown>>;
  readonly err: string;
}

/** Runs `it-chain` with --json; gives its last line. */
export function run(...args: string[]): Promise<Run> {
  const child = spawn(process.execPath, [join(root, 'packages', 'cli', 'dist', 'bin.js'), ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve) =>
    child.on('close', (code) => {
      const last = out.trim().split('\n').at(-1) ?? '';
      resolve({ code, json: last === '' ? {} : (JSON.parse(last) as Run['json']), err });
    }),
  );
}
