import { readFileSync } from 'node:fs';
import { AmqpServer, type AmqpServerOptions } from '@it-chain/amqp-server';
import amqp, { type Channel } from 'amqplib';
import { expect } from 'chai';
import { ByteWriter } from '../dist/wire/byte-writer.js';
import { writeTable } from '../dist/wire/field-table.js';
import { type FieldTable, PROTOCOL_HEADER } from '../dist/wire/spec.js';
import { isLoopback } from '../dist/server/listener.js';
import { Authenticator } from '../dist/server/authenticator.js';
import { method, RawClient } from './raw-client.js';

const fixture = (name: string): Buffer => readFileSync(new URL(`../test/fixtures/${name}`, import.meta.url));
const PLUGIN = {
  name: 'plugin',
  password: 'secret',
  permissions: { '/': { configure: '^own\\.', write: '^(own\\.|amq\\.topic$|amq\\.default$)', read: '^own\\.' } },
};

describe('users and permissions', () => {
  let server: AmqpServer;
  let port = 0;
  const start = async (options: AmqpServerOptions): Promise<void> => {
    server = new AmqpServer({ authFailureDelayMs: 0, ...options });
    const address = await server.listen();
    port = address.port;
  };
  const connect = (name: string, password: string, vhost = ''): Promise<amqp.ChannelModel> =>
    amqp.connect(`amqp://${name}:${password}@127.0.0.1:${port}${vhost}`);
  const refused = async (attempt: Promise<unknown>): Promise<boolean> =>
    attempt.then(
      () => false,
      () => true,
    );
  afterEach(() => server.close());

  it('lets only the users given in, guest no longer among them', async () => {
    await start({ users: [PLUGIN] });
    const connection = await connect('plugin', 'secret');
    await connection.close();
    expect(await refused(connect('plugin', 'Secret'))).to.equal(true);
    expect(await refused(connect('guest', 'guest'))).to.equal(true);
    expect(await refused(connect('nobody', 'secret'))).to.equal(true);
  });

  it('lets guest in only from this machine', () => {
    const authenticator = new Authenticator([{ name: 'guest', password: 'guest' }]);
    const response = Buffer.from('\0guest\0guest');
    const login = (loopback: boolean): string | undefined =>
      authenticator.login('PLAIN', response, { loopback, certificateName: undefined })?.name;
    expect([login(true), login(false)]).to.deep.equal(['guest', undefined]);
    server = new AmqpServer();
  });

  it('knows the addresses of this machine', () => {
    const own = ['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1'];
    const others = ['10.0.0.1', '::', '0.0.0.0', '::ffff:10.0.0.1', 'localhost.example.org', ''];
    expect([...own, ...others].filter(isLoopback)).to.deep.equal(own);
  });

  it('understands AMQPLAIN', async () => {
    await start({});
    const writer = new ByteWriter();
    const table: FieldTable = new Map([
      ['LOGIN', { type: 'S', value: 'guest' }],
      ['PASSWORD', { type: 'S', value: 'guest' }],
    ]);
    writeTable(writer, table);
    const client = new RawClient(port);
    const response = writer.toBuffer().subarray(4);
    const ok = { clientProperties: new Map(), mechanism: 'AMQPLAIN', response, locale: 'en_US' };
    client.send(PROTOCOL_HEADER, method(0, 'connection.startOk', ok));
    await client.wait('connection.tune');
    await client.destroy();
  });

  it('keeps a user to the names its permissions match', async () => {
    await start({ users: [PLUGIN, { name: 'admin', password: 'admin' }] });
    const admin = await connect('admin', 'admin');
    const all = await admin.createChannel();
    await all.assertQueue('other.queue');
    await all.assertExchange('other.exchange', 'fanout');
    await all.assertExchange('own.exchange', 'fanout');
    const connection = await connect('plugin', 'secret');
    const attempt = async (action: (channel: Channel) => Promise<unknown>): Promise<number> => {
      const channel = await connection.createChannel();
      const closed = new Promise<number>((resolve) => {
        channel.once('error', (error: Error & { code?: number }) => resolve(error.code ?? 0));
      });
      const done = action(channel).then(async () => {
        await channel.checkExchange('amq.topic');
        await channel.close();
        return 0;
      });
      return done.catch(() => closed);
    };
    const publish = (exchange: string) => async (channel: Channel) => {
      channel.publish(exchange, 'k', Buffer.from('x'));
      return Promise.resolve();
    };
    const allowed: ((channel: Channel) => Promise<unknown>)[] = [
      (channel) => channel.assertQueue('own.queue'),
      (channel) => channel.bindQueue('own.queue', 'own.exchange', ''),
      (channel) => channel.consume('own.queue', () => undefined),
      publish('own.exchange'),
      publish('amq.topic'),
      publish(''),
    ];
    const denied: ((channel: Channel) => Promise<unknown>)[] = [
      (channel) => channel.assertQueue('mine'),
      (channel) => channel.assertQueue(''),
      (channel) => channel.deleteQueue('other.queue'),
      (channel) => channel.purgeQueue('other.queue'),
      (channel) => channel.consume('other.queue', () => undefined),
      (channel) => channel.get('other.queue'),
      (channel) => channel.bindQueue('own.queue', 'other.exchange', ''),
      (channel) => channel.bindQueue('other.queue', 'own.exchange', ''),
      (channel) => channel.assertExchange('mine', 'fanout'),
      (channel) => channel.deleteExchange('other.exchange'),
      (channel) => channel.assertQueue('own.dead', { deadLetterExchange: 'other.exchange' }),
      (channel) => channel.assertExchange('own.alt', 'fanout', { alternateExchange: 'other.exchange' }),
      publish('other.exchange'),
    ];
    for (const action of allowed) expect(await attempt(action)).to.equal(0);
    for (const action of denied) expect(await attempt(action)).to.equal(403);
    await connection.close();
    await admin.close();
  });

  it('keeps a user to its connections and queues, and leaves the rest to the others', async () => {
    await start({
      users: [
        { name: 'small', password: 'p', maxConnections: 2, maxQueues: 3 },
        { name: 'other', password: 'p' },
      ],
    });
    const [first, second] = [await connect('small', 'p'), await connect('small', 'p')];
    expect(await refused(connect('small', 'p'))).to.equal(true);
    const channel = await first.createChannel();
    for (const name of ['a', 'b', 'c']) await channel.assertQueue(name, { exclusive: true });
    await channel.assertQueue('a', { exclusive: true });
    const code = new Promise<unknown>((resolve) => {
      channel.once('error', (error: Error & { code?: number }) => resolve(error.code));
    });
    expect(await refused(channel.assertQueue('d', { exclusive: true }))).to.equal(true);
    expect(await code).to.equal(506);
    // What is given up can be had again.
    await second.close();
    const third = await connect('small', 'p');
    await first.close();
    const other = await connect('other', 'p');
    await (await other.createChannel()).assertQueue('d', { exclusive: true });
    await (await third.createChannel()).assertQueue('a', { exclusive: true });
    await other.close();
    await third.close();
  });

  it('keeps a user to its bindings, in all its queues', async () => {
    await start({ users: [{ name: 'small', password: 'p', maxBindings: 3 }] });
    const connection = await connect('small', 'p');
    const channel = await connection.createChannel();
    const code = new Promise<unknown>((resolve) => {
      channel.once('error', (error: Error & { code?: number }) => resolve(error.code));
    });
    for (const name of ['a', 'b']) await channel.assertQueue(name, { exclusive: true });
    await channel.bindQueue('a', 'amq.topic', 'one');
    await channel.bindQueue('b', 'amq.topic', 'one');
    await channel.unbindQueue('b', 'amq.topic', 'one');
    await channel.bindQueue('b', 'amq.topic', 'two');
    await channel.bindQueue('a', 'amq.topic', 'three');
    expect(await refused(channel.bindQueue('b', 'amq.topic', 'four'))).to.equal(true);
    expect(await code).to.equal(506);
    await connection.close();
  });

  it('keeps what waits in the queues of a user to its limit, also what it never acknowledges', async () => {
    await start({
      users: [
        { name: 'hung', password: 'p', maxQueueBytes: 10_000 },
        { name: 'other', password: 'p' },
      ],
    });
    const [hung, other] = [await connect('hung', 'p'), await connect('other', 'p')];
    const [own, sender] = [await hung.createChannel(), await other.createConfirmChannel()];
    await own.assertQueue('dropping', { exclusive: false, durable: true });
    await own.assertQueue('refusing', { durable: true, arguments: { 'x-overflow': 'reject-publish' } });
    const send = async (queue: string, count: number): Promise<boolean> => {
      for (let index = 0; index < count; index += 1) sender.sendToQueue(queue, Buffer.alloc(1_000, index));
      return refused(sender.waitForConfirms());
    };
    expect(await send('dropping', 50)).to.equal(false);
    expect((await own.checkQueue('dropping')).messageCount).to.equal(10);
    // The queues of the user share the limit.
    expect(await send('refusing', 1)).to.equal(true);
    // Taken and never acknowledged, it still counts; the connection of the others goes on.
    await own.consume('dropping', () => undefined, { noAck: false });
    expect(await send('dropping', 5)).to.equal(false);
    expect((await own.checkQueue('dropping')).messageCount).to.equal(0);
    expect(await send('refusing', 1)).to.equal(true);
    // A connection that goes gives its messages back: nothing was lost that had come in.
    await hung.close();
    const again = await connect('hung', 'p');
    const channel = await again.createChannel();
    expect((await channel.checkQueue('dropping')).messageCount).to.equal(10);
    await channel.purgeQueue('dropping');
    expect(await send('refusing', 10)).to.equal(false);
    expect(await send('refusing', 1)).to.equal(true);
    await again.close();
    await other.close();
  });

  it('reads from a user only as fast as it may publish, loses nothing, and lets others go on', async () => {
    await start({
      users: [
        { name: 'fast', password: 'p', maxPublishRate: 1_000 },
        { name: 'other', password: 'p' },
      ],
    });
    const [fast, other] = [await connect('fast', 'p'), await connect('other', 'p')];
    const flood = await fast.createConfirmChannel();
    const calm = await other.createConfirmChannel();
    await flood.assertQueue('flooded', { durable: true });
    await calm.assertQueue('calm', { durable: true });
    const began = performance.now();
    for (let count = 0; count < 3_000; count += 1) flood.sendToQueue('flooded', Buffer.from(String(count)));
    calm.sendToQueue('calm', Buffer.from('x'));
    await calm.waitForConfirms();
    expect((await calm.checkQueue('flooded')).messageCount).to.be.lessThan(3_000);
    await flood.waitForConfirms();
    expect(performance.now() - began).to.be.greaterThan(1_000);
    expect((await calm.checkQueue('flooded')).messageCount).to.equal(3_000);
    expect(server.stats().counters.throttled).to.be.greaterThan(0);
    await fast.close();
    await other.close();
  });

  it('keeps virtual hosts apart, and users to theirs', async () => {
    const permissions = { a: { configure: '.*', write: '.*', read: '.*' } };
    await start({
      vhosts: ['a', 'b'],
      users: [
        { name: 'u', password: 'p', permissions },
        { name: 'all', password: 'p' },
      ],
    });
    const connections = [
      await connect('all', 'p', '/a'),
      await connect('all', 'p', '/b'),
      await connect('u', 'p', '/a'),
    ];
    const [a, b] = connections;
    await (await a?.createChannel())?.assertQueue('only-a');
    const channel = await b?.createChannel();
    channel?.on('error', () => undefined); // The refusal is what the test is about.
    expect(await refused(channel?.checkQueue('only-a') ?? Promise.resolve())).to.equal(true);
    expect(await refused(connect('u', 'p', '/b'))).to.equal(true);
    for (const connection of connections) await connection.close();
  });

  it('takes users while it runs, and closes the connections of one removed', async () => {
    await start({ users: [] });
    server.setUser({ name: 'late', password: 'p' });
    const connection = await connect('late', 'p');
    const closed = new Promise<string>((resolve) => connection.once('close', (error) => resolve(String(error))));
    expect(server.removeUser('late')).to.equal(true);
    expect(await closed).to.contain("user 'late' was removed");
    expect(server.removeUser('late')).to.equal(false);
  });

  it('an impersonator may set any user-id', async () => {
    await start({ users: [{ name: 'relay', password: 'p', impersonator: true }] });
    const connection = await connect('relay', 'p');
    const channel = await connection.createConfirmChannel();
    channel.publish('amq.topic', 'k', Buffer.from(''), { userId: 'somebody' });
    await channel.waitForConfirms();
    await connection.close();
  });

  it('TLS with a client certificate logs in by EXTERNAL', async () => {
    const [cert, key] = [fixture('cert.pem'), fixture('test-only-key.pem')];
    server = new AmqpServer({ users: [{ name: 'tls-user' }] });
    const tls = { cert, key, ca: cert, requestCert: true, rejectUnauthorized: true };
    const address = await server.listen({ tls });
    const url = address.url;
    expect(url).to.match(/^amqps:/);
    const credentials = amqp.credentials.external();
    const connection = await amqp.connect(url, { cert, key, ca: [cert], credentials } as object);
    await connection.close();
    // Without a certificate the same user has no way in: there is no password.
    expect(await refused(amqp.connect(url, { ca: [cert] } as object))).to.equal(true);
  });
});
