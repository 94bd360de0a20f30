import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './node-process.js';

/** Runs `it-chain` in a folder to its end and gives what it printed. Throws where it fails. */
export function cli(args: readonly string[], cwd: string): string {
  const bin = join(root, 'packages', 'cli', 'dist', 'bin.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...args], {
    cwd,
    encoding: 'utf8',
    timeout: 120_000,
  });
  if (status !== 0) throw new Error(`it-chain ${args.join(' ')} ended with ${String(status)}: ${stdout}${stderr}`);
  return stdout;
}
