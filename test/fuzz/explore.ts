import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../support/node-process.js';
import { targets } from './targets.js';

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
  },
});

/** Searches one decoder in a process of its own. @returns whether nothing broke it */
function explore(target: string): Promise<boolean> {
  const main = join(root, 'test', 'dist', 'fuzz', 'explore-target.js');
  const args = ['--target', target, '--seconds', values.seconds, '--seed', values.seed];
  const child = spawn(process.execPath, ['--enable-source-maps', main, ...args, ...(values.keep ? ['--keep'] : [])], {
    stdio: 'inherit',
  });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code === 0)));
}

const names = (await targets()).map(({ name }) => name);
const chosen = names.filter((name) => values.target === undefined || name === values.target);
if (chosen.length === 0) {
  process.stderr.write(`--target ${String(values.target)} is none of ${names.join(', ')}\n`);
  process.exitCode = 2;
} else {
  let failed = 0;
  for (const name of chosen) if (!(await explore(name))) failed += 1;
  process.stdout.write(`${chosen.length - failed} passed, ${failed} failed\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}
