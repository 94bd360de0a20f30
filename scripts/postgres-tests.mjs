// The storage suite and a network of nodes on a real PostgreSQL, which is installed when absent and started privately.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, setup } from './setup.mjs';

setup('all');
const { installPostgres, startPostgres } = await import(
  pathToFileURL(join(root, 'test', 'dist', 'support', 'postgres.js')).href
);
installPostgres();
const server = await startPostgres();
let status = 1;
try {
  const tests = ['packages/plugin-postgres/dist-test/**/*.test.js', 'test/dist/swap/postgres.test.js'];
  ({ status } = spawnSync(process.execPath, [join(root, 'scripts', 'test.mjs'), ...tests], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, POSTGRES_URL: server.url },
  }));
} finally {
  await server.remove();
}
process.exit(status ?? 1);
