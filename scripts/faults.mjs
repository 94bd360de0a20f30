// npm run faults -- [--tier 1|2] [--only N1,CR3] [--seed S] [--json FILE] [--list]: real nodes in network namespaces under
// real faults. Without --tier: one short repetition of the most important ones. Needs root on Linux.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, setup } from './setup.mjs';

setup('all');
const main = join(root, 'test', 'dist', 'faults', 'main.js');
const { status } = spawnSync(process.execPath, ['--enable-source-maps', main, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  // Where Debian keeps the tools of the network.
  env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
});
process.exit(status ?? 1);
