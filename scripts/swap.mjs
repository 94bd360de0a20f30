// The three scenarios on nine designs: storage x consensus x bus x application x pool. Starts RabbitMQ and PostgreSQL
// privately, and installs them where they are absent (Debian, as root).
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, setup } from './setup.mjs';

setup('all');
const load = (name) => import(pathToFileURL(join(root, 'test', 'dist', 'support', `${name}.js`)).href);
const { installRabbitMq, startRabbitMq } = await load('rabbitmq');
const { installPostgres, startPostgres } = await load('postgres');
installRabbitMq();
installPostgres();
const [broker, server] = await Promise.all([startRabbitMq(), startPostgres()]);
let status = 1;
try {
  const args = [join(root, 'scripts', 'test.mjs'), 'test/dist/swap/swap.test.js', ...process.argv.slice(2)];
  const env = { ...process.env, SWAP: 'all', RABBITMQ_URL: broker.url, POSTGRES_URL: server.url };
  ({ status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env }));
} finally {
  await Promise.all([broker.remove(), server.remove()]);
}
process.exit(status ?? 1);
