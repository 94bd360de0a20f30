import { AmqpServer } from '@it-chain/amqp-server';
import amqp from 'amqplib';
import { expect } from 'chai';
import { FRAME } from '../dist/wire/spec.js';
import { capability, frame, header, method, publish, RawClient } from './raw-client.js';

const MEBIBYTE = 1 << 20;
const BODY = Buffer.alloc(16_384, 1);

describe('flow control', () => {
  let server: AmqpServer;
  let port = 0;
  const raw: RawClient[] = [];
  const start = async (): Promise<string> => {
    server = new AmqpServer({
      memoryWatermarkBytes: 4 * MEBIBYTE,
      users: [
        { name: 'guest', password: 'guest' },
        { name: 'exempt', password: 'e', memoryAlarmExempt: true },
      ],
    });
    const address = await server.listen();
    port = address.port;
    return address.url;
  };
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  afterEach(async () => {
    for (const client of raw.splice(0)) await client.destroy();
    await server.close();
  });

  it('a flood is held at the watermark, a stalled consumer pins little, and all goes on once drained', async function () {
    this.timeout(60_000);
    const url = await start();
    const consuming = await amqp.connect(url);
    const channel = await consuming.createChannel();
    await channel.assertQueue('flood', { durable: true });
    const stalled = await new RawClient(port).open();
    raw.push(stalled);
    const request = { ticket: 0, queue: 'flood', consumerTag: 's', noLocal: false, noAck: true, exclusive: false };
    stalled.send(method(1, 'basic.consume', { ...request, nowait: false, arguments: new Map() }));
    await stalled.wait('basic.consumeOk');
    stalled.socket.pause();

    const publishing = await amqp.connect(url);
    const events: string[] = [];
    publishing.on('blocked', () => events.push('blocked'));
    publishing.on('unblocked', () => events.push('unblocked'));
    const out = await publishing.createConfirmChannel();
    const total = 1500;
    for (let i = 0; i < total; i++) out.sendToQueue('flood', BODY);
    const confirmed = out.waitForConfirms();
    await until(() => events.includes('blocked'));
    expect(server.stats().memoryBytes).to.be.lessThan(6 * MEBIBYTE);
    expect(server.stats().outputBytes).to.be.lessThan(2 * MEBIBYTE);
    expect(server.stats()).to.include({ memoryAlarm: true, blockedConnections: 1 });

    let received = 0;
    await channel.consume('flood', () => received++, { noAck: true });
    await confirmed;
    await until(() => server.stats().messagesReady === 0 && events.includes('unblocked'));
    expect(server.stats()).to.include({ memoryAlarm: false, memoryBytes: 0 });
    expect(received).to.be.greaterThan(total / 2);
    await publishing.close();
    await consuming.close();
  });

  it('does not count the silence of a connection it does not read, nor hold consumers or exempt users', async () => {
    const url = await start();
    const exempt = await amqp.connect(url.replace('//', '//exempt:e@'));
    const channel = await exempt.createConfirmChannel();
    await channel.assertQueue('full', { durable: true });
    const client = await new RawClient(port).open({ heartbeat: 1, capabilities: capability('connection.blocked') });
    raw.push(client);
    const message = [publish(1, 'full'), header(1, BODY.length), frame(FRAME.body, 1, BODY)];
    for (let i = 0; i < 300; i++) client.send(...message);
    await client.wait('connection.blocked');
    // The exempt user is still served while the alarm lasts.
    channel.sendToQueue('full', BODY);
    await channel.waitForConfirms();
    await new Promise((resolve) => setTimeout(resolve, 3200));
    expect(client.closed).to.equal(false);
    await channel.purgeQueue('full');
    await client.wait('connection.unblocked');
    await exempt.close();
  });

  it('refuses even exempt publishers at the memory limit', async () => {
    const url = await start();
    const exempt = await amqp.connect(url.replace('//', '//exempt:e@'));
    const channel = await exempt.createConfirmChannel();
    await channel.assertQueue('full', { durable: true });
    let refused = 0;
    for (let i = 0; i < 700; i++)
      channel.sendToQueue('full', BODY, {}, (error: unknown) => (refused += error === null ? 0 : 1));
    await channel.waitForConfirms().catch(() => undefined);
    expect(refused).to.be.greaterThan(0);
    expect(server.stats().memoryBytes).to.be.lessThan(9 * MEBIBYTE);
    await exempt.close();
  });

  it('stops reading a client that does not take its answers', async () => {
    await start();
    const client = await new RawClient(port).open();
    raw.push(client);
    client.socket.pause();
    const values = { ticket: 0, exchange: '', routingKey: 'nobody', mandatory: true, immediate: false };
    const message = [method(1, 'basic.publish', values), header(1, BODY.length), frame(FRAME.body, 1, BODY)];
    for (let i = 0; i < 2000; i++) client.send(...message);
    await until(() => server.stats().outputBytes > 2 * MEBIBYTE);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.stats().outputBytes).to.be.lessThan(4 * MEBIBYTE);
    client.socket.resume();
    await until(() => server.stats().counters.returned === 2000);
  });
});
