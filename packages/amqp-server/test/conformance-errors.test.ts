import { type Channel } from 'amqplib';
import { expect } from 'chai';
import { conformance, publish } from './conformance.js';

conformance('errors', (bench) => {
  const CASES: [string, number, (channel: Channel, name: string) => Promise<unknown>][] = [
    ['an unknown queue', 404, (channel) => channel.checkQueue('nowhere')],
    ['an unknown exchange', 404, (channel) => channel.checkExchange('nowhere')],
    ['a bind to an unknown exchange', 404, (channel, name) => channel.bindQueue(name, 'nowhere', '')],
    ['consuming from an unknown queue', 404, (channel) => channel.consume('nowhere', () => undefined)],
    [
      'a queue declared otherwise',
      406,
      (channel, name) => channel.assertQueue(name, { exclusive: true, autoDelete: true }),
    ],
    [
      'a queue declared with another argument',
      406,
      (channel, name) => channel.assertQueue(name, { exclusive: true, maxLength: 5 }),
    ],
    ['an exchange declared otherwise', 406, (channel) => channel.assertExchange('amq.topic', 'direct')],
    [
      'a time to live that is no number',
      406,
      (channel) => channel.assertQueue('', { exclusive: true, arguments: { 'x-message-ttl': 'soon' } }),
    ],
    ['a negative length', 406, (channel) => channel.assertQueue('', { exclusive: true, maxLength: -1 })],
    [
      'an unknown overflow',
      406,
      (channel) => channel.assertQueue('', { exclusive: true, arguments: { 'x-overflow': 'explode' } }),
    ],
    [
      'a dead letter key without exchange',
      406,
      (channel) => channel.assertQueue('', { exclusive: true, deadLetterRoutingKey: 'k' }),
    ],
    [
      'a transient quorum queue',
      406,
      (channel, name) => channel.assertQueue(`${name}q`, { durable: false, arguments: { 'x-queue-type': 'quorum' } }),
    ],
    ['a reserved queue name', 403, (channel) => channel.assertQueue('amq.mine', {})],
    ['a reserved exchange name', 403, (channel) => channel.assertExchange('amq.mine', 'direct')],
    ['deleting a predeclared exchange', 403, (channel) => channel.deleteExchange('amq.topic')],
    ['binding to the default exchange', 403, (channel, name) => channel.bindQueue(name, '', 'k')],
    ['deleting an exchange in use', 406, (channel) => channel.deleteExchange('conformance.used', { ifUnused: true })],
    ['deleting a queue in use', 406, (channel, name) => channel.deleteQueue(name, { ifUnused: true })],
    ['deleting a queue that is not empty', 406, (channel, name) => channel.deleteQueue(name, { ifEmpty: true })],
  ];
  for (const [title, code, action] of CASES) {
    it(`${title}: ${code}`, async () => {
      const name = bench.fresh('errors');
      await bench.channel.assertQueue(name, { exclusive: true });
      await bench.channel.assertExchange('conformance.used', 'fanout', { autoDelete: true });
      await bench.channel.bindQueue(name, 'conformance.used', '');
      await bench.channel.prefetch(1);
      await bench.channel.consume(name, () => undefined);
      for (let i = 0; i < 2; i++) await publish(bench.channel, '', name, 'x');
      expect(await bench.channelError((channel) => action(channel, name))).to.equal(code);
    });
  }

  const PUBLISHES: [string, number, string, object][] = [
    ['to an unknown exchange', 404, 'nowhere', {}],
    ['in the name of somebody else', 406, '', { userId: 'somebody' }],
    ['with an expiration that is no number', 406, '', { expiration: 'soon' }],
  ];
  for (const [title, code, exchange, options] of PUBLISHES) {
    it(`publishing ${title}: ${code}`, async () => {
      const received = await bench.channelError(async (channel) => {
        channel.publish(exchange, 'k', Buffer.from('x'), options);
        return Promise.resolve();
      });
      expect(received).to.equal(code);
    });
  }

  it('an unknown delivery tag: 406', async () => {
    const code = await bench.channelError(async (channel) => {
      channel.ack({ fields: { deliveryTag: 99 } } as Parameters<Channel['ack']>[0]);
      return Promise.resolve();
    });
    expect(code).to.equal(406);
  });

  const HARD: [string, number, (channel: Channel) => Promise<unknown>][] = [
    ['an unknown exchange type', 503, (channel) => channel.assertExchange('e', 'nonsense')],
    [
      'a consumer tag used twice',
      530,
      async (channel) => {
        const { queue } = await channel.assertQueue('', { exclusive: true });
        await channel.consume(queue, () => undefined, { consumerTag: 'twice' });
        await channel.consume(queue, () => undefined, { consumerTag: 'twice' });
      },
    ],
  ];
  for (const [title, code, action] of HARD) {
    it(`${title} ends the connection: ${code}`, async () => {
      const { connection, channel } = await bench.another();
      const received = new Promise<number>((resolve) => {
        connection.once('error', (error: Error & { code?: number }) => resolve(error.code ?? 0));
      });
      await action(channel).catch(() => undefined);
      expect(await received).to.equal(code);
    });
  }

  it('a channel that was closed can be opened again', async () => {
    for (let i = 0; i < 5; i++) {
      await bench.channelError((channel) => channel.checkQueue('nowhere'));
      const channel = await bench.connection.createChannel();
      await channel.close();
    }
  });
});
