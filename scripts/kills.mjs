// npm run kills -- [--count 500] [--minutes 60] [--seed S]: kill -9 of one of four nodes under load, again and again; the
// whole chain and every acknowledgement is checked after each 25. Needs root on Linux.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, setup } from './setup.mjs';

setup('all');
const main = join(root, 'test', 'dist', 'faults', 'kills.js');
const args = ['--enable-source-maps', main, ...process.argv.slice(2)];
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
process.exit(status ?? 1);
