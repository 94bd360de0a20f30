// Publishes every package to a private registry, installs a node from it into an empty folder and runs it.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root, setup } from './setup.mjs';

setup('all');
const { status } = spawnSync(process.execPath, [join(root, 'scripts', 'test.mjs'), 'test/dist/publish/*.test.js'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, PUBLISH: '1' },
});
process.exit(status ?? 1);
