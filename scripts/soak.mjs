// npm run soak -- [--minutes M] [--seed S]: four nodes under load in network namespaces, one perturbation a minute, all
// invariants after each, and how memory grew. Needs root on Linux.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, setup } from './setup.mjs';

setup('all');
const main = join(root, 'test', 'dist', 'faults', 'soak.js');
const args = ['--enable-source-maps', main, ...process.argv.slice(2)];
// Where Debian keeps the tools of the network.
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env });
process.exit(status ?? 1);
