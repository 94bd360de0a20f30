// The bus suite and the three scenarios on a real RabbitMQ, which is installed when absent and started privately.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, setup } from './setup.mjs';

setup('all');
const { installRabbitMq, startRabbitMq } = await import(
  pathToFileURL(join(root, 'test', 'dist', 'support', 'rabbitmq.js')).href
);
installRabbitMq();
const broker = await startRabbitMq();
const tests = [
  'packages/amqp-server/dist-test/**/*.test.js',
  'packages/bus-amqp/dist-test/**/*.test.js',
  'test/dist/rabbitmq.test.js',
  'test/dist/split.test.js',
  'test/dist/bus-permissions.test.js',
];
let status = 1;
try {
  ({ status } = spawnSync(process.execPath, [join(root, 'scripts', 'test.mjs'), ...tests], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, RABBITMQ: '1', RABBITMQ_URL: broker.url },
  }));
} finally {
  await broker.remove();
}
process.exit(status ?? 1);
