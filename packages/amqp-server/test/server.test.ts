import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { AmqpServer, AmqpServerError, type AmqpServerOptions } from '@it-chain/amqp-server';
import amqp from 'amqplib';
import { expect } from 'chai';
import { PROTOCOL_HEADER } from '../dist/wire/spec.js';

async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (error instanceof AmqpServerError) {
      expect(error.hint).to.not.equal('');
      return error.code;
    }
    throw error;
  }
  return 'no error';
}

describe('the server object', () => {
  let server: AmqpServer;
  const start = async (options: AmqpServerOptions = {}): Promise<string> => {
    server = new AmqpServer(options);
    const address = await server.listen();
    return address.url;
  };
  afterEach(() => server.close());

  it('listens on several addresses, a Unix socket of mode 0600 among them', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'amqp-server-'));
    const path = join(folder, 'bus.sock');
    const url = await start();
    expect(await server.listen({ path })).to.deep.equal({ path });
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
    const connections = [await amqp.connect(url), await amqp.connect('amqp://localhost', { path } as object)];
    expect(server.stats().connections).to.equal(2);
    for (const connection of connections) await connection.close();
    const second = new AmqpServer();
    expect(await codeOf(() => second.listen({ path }))).to.equal('ERR_AMQP_LISTEN_FAILED');
    await server.close();
    await second.listen({ path });
    await second.close();
    await rm(folder, { recursive: true });
  });

  it('refuses an address others can reach without TLS and users', async () => {
    server = new AmqpServer();
    const host = '0.0.0.0';
    expect(await codeOf(() => server.listen({ host }))).to.equal('ERR_AMQP_INSECURE_LISTEN');
    expect(await codeOf(() => server.listen({ host, tls: {} }))).to.equal('ERR_AMQP_INSECURE_LISTEN');
    const users = [{ name: 'app', password: 'secret' }];
    const named = new AmqpServer({ users });
    expect(await codeOf(() => named.listen({ host }))).to.equal('ERR_AMQP_INSECURE_LISTEN');
    await named.listen({ host, tls: {} });
    await named.close();
  });

  it('says which port is taken', async () => {
    const url = new URL(await start());
    expect(await codeOf(() => server.listen({ port: Number(url.port) }))).to.equal('ERR_AMQP_LISTEN_FAILED');
  });

  it('refuses options out of range', async () => {
    server = new AmqpServer();
    const wrong: AmqpServerOptions[] = [
      { frameMax: 100 },
      { maxConnections: 0 },
      { heartbeatSeconds: 1.5 },
      { memoryLimitBytes: 1 },
      { vhosts: [] },
      { users: [{ name: 'x', permissions: { '/': { configure: '(', write: '', read: '' } } }] },
    ];
    for (const options of wrong) {
      expect(await codeOf(() => new AmqpServer(options))).to.equal('ERR_AMQP_INVALID_OPTION');
    }
  });

  it('serves an attached stream, and nothing after close', async () => {
    server = new AmqpServer();
    const [near, far] = duplexPair();
    server.attach(far);
    near.write(PROTOCOL_HEADER);
    const answer = await new Promise<Buffer>((resolve) => near.once('data', resolve));
    expect(answer.subarray(7, 11)).to.deep.equal(Buffer.from([0, 10, 0, 10]));
    await server.close();
    expect(await codeOf(() => server.attach(far))).to.equal('ERR_AMQP_SERVER_CLOSED');
    expect(await codeOf(() => server.listen())).to.equal('ERR_AMQP_SERVER_CLOSED');
  });

  it('close says goodbye to clients, and cuts those that do not answer', async () => {
    const url = await start({ closeTimeoutMs: 50 });
    const connection = await amqp.connect(url);
    const goodbye = new Promise<string>((resolve) => connection.once('close', (error) => resolve(String(error))));
    const [near, far] = duplexPair();
    near.resume();
    server.attach(far);
    await server.close();
    expect(await goodbye).to.contain('CONNECTION_FORCED');
    expect(server.stats().connections).to.equal(0);
  });

  it('tells of connections, and counts', async () => {
    const url = await start({ serverProperties: { product: 'Something' } });
    const events: string[] = [];
    server.on('connection', ({ user, vhost, product }) => events.push(`open ${user} ${vhost} ${product}`));
    const closed = new Promise<void>((resolve) => {
      server.on('connectionClosed', (info, reason) => {
        events.push(`${info.user}: ${reason}`);
        resolve();
      });
    });
    const connection = await amqp.connect(url);
    expect(connection.connection.serverProperties.product).to.equal('Something');
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('q', { durable: true });
    channel.sendToQueue('q', Buffer.from('12345'));
    await channel.waitForConfirms();
    expect(server.queues()).to.deep.equal([
      { name: 'q', messagesReady: 1, bytesReady: 5, messagesUnacknowledged: 0, consumers: 0 },
    ]);
    expect(server.stats()).to.include({ connections: 1, channels: 1, queues: 1, messagesReady: 1, memoryAlarm: false });
    await channel.purgeQueue('q');
    expect(server.stats().memoryBytes).to.equal(0);
    await connection.close();
    await closed;
    expect(events).to.deep.equal(['open guest / amqplib', 'guest: closed by the client']);
  });

  it('warns of what RabbitMQ 4.3 refuses, and refuses it when strict', async () => {
    for (const strict of [false, true]) {
      const url = await start({ strict });
      const codes: string[] = [];
      server.on('warning', ({ code }) => codes.push(code));
      const attempt = async (action: (channel: amqp.Channel) => Promise<unknown>): Promise<number> => {
        const connection = await amqp.connect(url);
        const failed = new Promise<number>((resolve) => {
          connection.once('error', (error: Error & { code?: number }) => resolve(error.code ?? 0));
        });
        const channel = await connection.createChannel();
        const done = action(channel).then(
          () => 0,
          () => failed,
        );
        const code = await done;
        if (code === 0) await connection.close();
        return code;
      };
      const queue = await attempt((channel) => channel.assertQueue('transient', { durable: false }));
      const qos = await attempt((channel) => channel.prefetch(5, true));
      expect([queue, qos]).to.deep.equal(strict ? [541, 540] : [0, 0]);
      expect(codes).to.deep.equal(strict ? [] : ['ERR_AMQP_TRANSIENT_QUEUE', 'ERR_AMQP_GLOBAL_QOS']);
      await server.close();
    }
  });

  it('drops the oldest replies a stalled asker does not take', async () => {
    const url = await start({ maxReplyBytes: 10, maxOutputBytes: 1 });
    const connection = await amqp.connect(url);
    const channel = await connection.createConfirmChannel();
    const replies: string[] = [];
    await channel.consume('amq.rabbitmq.reply-to', (message) => replies.push(String(message?.content)), {
      noAck: true,
    });
    const { queue } = await channel.assertQueue('', { exclusive: true });
    channel.sendToQueue(queue, Buffer.from(''), { replyTo: 'amq.rabbitmq.reply-to' });
    await channel.waitForConfirms();
    const request = await channel.get(queue, { noAck: true });
    const address = request === false ? '' : String(request.properties.replyTo);
    for (let i = 0; i < 5; i++) channel.sendToQueue(address, Buffer.from(`reply ${i}`));
    await channel.waitForConfirms();
    while (!replies.includes('reply 4')) await new Promise((resolve) => setImmediate(resolve));
    expect(server.stats().counters.dropped).to.be.greaterThan(0);
    await connection.close();
    expect(server.stats().memoryBytes).to.equal(0);
  });
});
