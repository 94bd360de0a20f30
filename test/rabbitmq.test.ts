import { scenarios } from './support/scenarios.js';
import { startRabbitMq, type PrivateRabbitMq } from './support/rabbitmq.js';

// Needs a broker: `node scripts/rabbitmq-tests.mjs` installs one and sets RABBITMQ=1.
if (process.env['RABBITMQ'] === '1') {
  let broker: PrivateRabbitMq | undefined;
  before(async function () {
    this.timeout(600_000);
    broker = await startRabbitMq();
  });
  after(async function () {
    this.timeout(600_000);
    await broker?.remove();
  });
  scenarios('the three scenarios, on RabbitMQ that is restarted in the middle', {
    busUrl: () => broker?.url,
    between: async () => {
      await broker?.stop();
      await broker?.start();
    },
  });
}
