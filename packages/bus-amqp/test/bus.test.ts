import { testBus, type BusSupport } from '@it-chain/testkit';
import { behindProxy, startOnSocket, startOnTcp, underTest, type Broker } from './brokers.js';

const supports: BusSupport = { second: true, otherNamespace: true, restartBroker: true, deadLetters: true };

const brokers: Record<string, () => Promise<Broker>> = {
  'the embedded server over a Unix socket, started anew': startOnSocket,
  'the embedded server over TCP, its connections cut': startOnTcp,
};
const rabbit = process.env['RABBITMQ_URL'];
if (rabbit !== undefined) brokers['RabbitMQ, its connections cut'] = () => behindProxy(rabbit);

for (const [what, start] of Object.entries(brokers)) {
  describe(`the bus on ${what}`, () => {
    let broker: Broker | undefined;
    before(async () => {
      broker = await start();
    });
    after(() => broker?.stop());
    testBus(() => {
      if (broker === undefined) throw new Error('the broker was not started');
      return underTest(broker)();
    }, supports);
  });
}
