// npm run fuzz -- [--target T] [--seconds S] [--seed N] [--keep]: looks for inputs that break a decoder, guided by what V8 says has
// run. What breaks one is printed; with --keep it is written to test/fuzz/found, and what
// reached something new, made as short as can be, to test/fuzz/corpus: `npm test` tries both for ever after.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, setup } from './setup.mjs';

setup('all');
const main = join(root, 'test', 'dist', 'fuzz', 'explore.js');
const { status } = spawnSync(process.execPath, [main, ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' });
process.exit(status ?? 1);
