// Builds a plugin of every kind as `npm create it-chain-plugin` makes it, runs its tests and a node with it.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, setup } from './setup.mjs';

setup('all');
const specs = join('packages', 'create-it-chain-plugin', 'dist-test', '*.slow.js');
const mocha = join(root, 'node_modules', 'mocha', 'bin', 'mocha.js');
const { status } = spawnSync(process.execPath, [mocha, specs, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(status ?? 1);
