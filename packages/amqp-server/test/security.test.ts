import { AmqpServer, type AmqpServerOptions } from '@it-chain/amqp-server';
import amqp from 'amqplib';
import { expect } from 'chai';
import { FRAME, type MethodArguments, PROTOCOL_HEADER } from '../dist/wire/spec.js';
import { capability, frame, header, method, publish, RawClient, startOk } from './raw-client.js';

describe('what a client may do wrong', () => {
  let server: AmqpServer;
  let port = 0;
  const clients: RawClient[] = [];

  const start = async (options: AmqpServerOptions = {}): Promise<void> => {
    server = new AmqpServer({ authFailureDelayMs: 20, closeTimeoutMs: 500, ...options });
    const address = await server.listen();
    port = address.port;
  };
  const raw = (): RawClient => {
    const client = new RawClient(port);
    clients.push(client);
    return client;
  };
  const alive = async (): Promise<void> => {
    const connection = await amqp.connect(`amqp://127.0.0.1:${port}`);
    await connection.close();
  };
  afterEach(async () => {
    await alive();
    for (const client of clients.splice(0)) await client.destroy();
    await server.close();
  });

  describe('before login', () => {
    const GREETINGS: [string, Buffer][] = [
      ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
      ['AMQP 1.0', Buffer.from('AMQP\x00\x01\x00\x00', 'latin1')],
      ['AMQP 1.0 with SASL', Buffer.from('AMQP\x03\x01\x00\x00', 'latin1')],
      ['a wrong greeting cut short', Buffer.from('AMQX')],
    ];
    for (const [title, greeting] of GREETINGS) {
      it(`${title}: answers with the protocol header and closes`, async () => {
        await start();
        const client = raw();
        client.send(greeting);
        await client.end();
        expect(client.octets.equals(PROTOCOL_HEADER)).to.equal(true);
      });
    }

    it('a greeting octet by octet is understood', async () => {
      await start();
      const client = raw();
      for (const octet of PROTOCOL_HEADER) client.send(Buffer.of(octet));
      await client.wait('connection.start');
    });

    it('a bad password: 403 for a client that understands it', async () => {
      await start();
      const client = raw();
      client.send(PROTOCOL_HEADER, startOk('guest', 'wrong', capability('authentication_failure_close')));
      expect((await client.wait('connection.close')).replyCode).to.equal(403);
      expect(server.stats().counters.authFailures).to.equal(1);
    });

    it('a bad password: otherwise closed without a word, and no second try is heard', async () => {
      await start();
      const client = raw();
      client.send(PROTOCOL_HEADER, startOk('guest', 'wrong'), startOk('guest', 'guest'));
      await client.end();
      expect(client.received.map(({ name }) => name)).to.deep.equal(['connection.start']);
    });

    it('a stalled handshake is closed', async () => {
      await start({ handshakeTimeoutMs: 50 });
      const client = raw();
      client.send(PROTOCOL_HEADER);
      await client.end();
    });

    it('a frame that claims 100 MB is refused at its head', async () => {
      await start();
      const client = raw();
      const head = Buffer.from([1, 0, 0, 0x06, 0, 0, 0]);
      client.send(PROTOCOL_HEADER, head);
      expect((await client.wait('connection.close')).replyCode).to.equal(501);
    });

    it('a method out of turn: 503', async () => {
      await start();
      const client = raw();
      client.send(PROTOCOL_HEADER, method(0, 'connection.open', { virtualHost: '/', reserved1: '', reserved2: false }));
      expect((await client.wait('connection.close')).replyCode).to.equal(503);
    });

    it('an unknown virtual host: 530', async () => {
      await start();
      const client = raw();
      client.send(PROTOCOL_HEADER, startOk());
      const { channelMax, frameMax } = await client.wait('connection.tune');
      const open = method(0, 'connection.open', { virtualHost: 'nowhere', reserved1: '', reserved2: false });
      client.send(method(0, 'connection.tuneOk', { channelMax, frameMax, heartbeat: 0 }), open);
      expect((await client.wait('connection.close')).replyCode).to.equal(530);
    });

    it('more connections than allowed are closed at once', async () => {
      await start({ maxConnections: 2 });
      const first = await raw().open();
      const second = raw();
      second.send(PROTOCOL_HEADER);
      await second.wait('connection.start');
      const third = raw();
      await third.end();
      expect(server.stats().counters.connectionsRefused).to.equal(1);
      await second.destroy();
      expect(first.closed).to.equal(false);
      while (server.stats().connections > 1) await new Promise((resolve) => setImmediate(resolve));
    });
  });

  describe('after login', () => {
    const consume: MethodArguments<'basic.consume'> = {
      ticket: 0,
      queue: 'q',
      consumerTag: 'twice',
      noLocal: false,
      noAck: true,
      exclusive: false,
      nowait: true,
      arguments: new Map(),
    };
    const ofType = (type: string): Buffer =>
      method(1, 'exchange.declare', {
        ticket: 0,
        exchange: 'e',
        type,
        passive: false,
        durable: false,
        autoDelete: false,
        internal: false,
        nowait: false,
        arguments: new Map(),
      });
    const HARD: [string, number, () => Buffer[]][] = [
      ['a frame above frame_max', 501, () => [Buffer.from([1, 0, 1, 0, 2, 0, 0])]],
      ['a wrong frame end', 501, () => [frame(FRAME.method, 1, Buffer.from([0, 20, 0, 20, 1]), 0)]],
      ['an unknown frame type', 501, () => [frame(5, 1, Buffer.alloc(4))]],
      ['a channel that is not open', 504, () => [method(2, 'basic.recover', { requeue: true })]],
      ['a channel opened twice', 504, () => [method(1, 'channel.open', { reserved1: '' })]],
      ['a channel above channel_max', 504, () => [method(3000, 'channel.open', { reserved1: '' })]],
      ['an unknown method', 541, () => [frame(FRAME.method, 1, Buffer.from([0, 60, 0, 99]))]],
      ['an unknown class', 541, () => [frame(FRAME.method, 1, Buffer.from([1, 1, 0, 10]))]],
      ['a method shorter than its ids', 502, () => [frame(FRAME.method, 1, Buffer.from([0, 60]))]],
      ['truncated arguments', 502, () => [frame(FRAME.method, 1, Buffer.from([0, 50, 0, 10, 0, 0, 9, 65]))]],
      ['a truncated publish', 502, () => [frame(FRAME.method, 1, Buffer.from([0, 60, 0, 40, 0, 0, 200, 65]))]],
      ['tables nested without end', 502, () => [nestedDeclare(2000)]],
      ['a body without a header', 505, () => [publish(1, 'q'), frame(FRAME.body, 1, Buffer.from('x'))]],
      ['a body without anything', 505, () => [frame(FRAME.body, 1, Buffer.from('x'))]],
      ['a header without a method', 505, () => [header(1, 1)]],
      ['a method instead of content', 505, () => [publish(1, 'q'), method(1, 'basic.recover', { requeue: true })]],
      ['a header of another class', 505, () => [publish(1, 'q'), header(1, 1, 50)]],
      [
        'a body longer than declared',
        501,
        () => [publish(1, 'q'), header(1, 1), frame(FRAME.body, 1, Buffer.from('xy'))],
      ],
      ['malformed properties', 502, () => [publish(1, 'q'), header(1, 0, 60, Buffer.from([0x80, 0, 9, 65]))]],
      ['unknown property flags', 502, () => [publish(1, 'q'), header(1, 0, 60, Buffer.from([0, 1]))]],
      ['octets behind the properties', 502, () => [publish(1, 'q'), header(1, 0, 60, Buffer.from([0, 0, 7]))]],
      [
        'a header name that is not UTF-8',
        502,
        () => [publish(1, 'q'), header(1, 0, 60, Buffer.from([0x20, 0, 0, 0, 0, 3, 1, 0xff, 0x56]))],
      ],
      [
        'a queue name that is not UTF-8',
        502,
        () => [frame(FRAME.method, 1, Buffer.from([0, 50, 0, 40, 0, 0, 1, 0xff, 0]))],
      ],
      [
        'a routing key that is not UTF-8',
        502,
        () => [frame(FRAME.method, 1, Buffer.from([0, 60, 0, 40, 0, 0, 0, 1, 0xff, 0]))],
      ],
      ['immediate', 540, () => [publish(1, 'q', true)]],
      ['prefetch_size', 540, () => [method(1, 'basic.qos', { prefetchSize: 1, prefetchCount: 0, global: false })]],
      ['tx.select', 540, () => [method(1, 'tx.select', {})]],
      ['recover without requeue', 540, () => [method(1, 'basic.recover', { requeue: false })]],
      ['channel.flow', 540, () => [method(1, 'channel.flow', { active: false })]],
      [
        'a duplicate consumer tag',
        530,
        () => [method(1, 'basic.consume', consume), method(1, 'basic.consume', consume)],
      ],
      ['an unknown exchange type', 503, () => [ofType('nonsense')]],
      ["a method of the server's", 503, () => [method(1, 'queue.bindOk', {})]],
      ['a heartbeat on a channel', 501, () => [frame(FRAME.heartbeat, 1, Buffer.alloc(0))]],
    ];
    for (const [title, code, octets] of HARD) {
      it(`${title}: ${code}, connection`, async () => {
        await start();
        const client = await raw().open();
        await client.queue('q');
        client.send(...octets());
        expect((await client.wait('connection.close')).replyCode).to.equal(code);
        client.send(method(0, 'connection.closeOk', {}));
        await client.end();
      });
    }

    const SOFT: [string, number, () => Buffer[]][] = [
      ['a content header that claims 200 MB', 406, () => [publish(1, 'q'), header(1, 200e6)]],
      ['a content header that claims 1 TB', 406, () => [publish(1, 'q'), header(1, 1e12)]],
      ['an unknown delivery tag', 406, () => [method(1, 'basic.ack', { deliveryTag: 7, multiple: false })]],
      ['a delivery tag beyond 2^53', 406, () => [method(1, 'basic.ack', { deliveryTag: 2 ** 60, multiple: true })]],
      [
        'deleting the default exchange',
        403,
        () => [method(1, 'exchange.delete', { ticket: 0, exchange: '', ifUnused: false, nowait: false })],
      ],
    ];
    for (const [title, code, octets] of SOFT) {
      it(`${title}: ${code}, channel`, async () => {
        await start();
        const client = await raw().open();
        // What follows on the closed channel is ignored.
        client.send(...octets(), frame(FRAME.body, 1, Buffer.from('x')), publish(1, 'q'));
        expect((await client.wait('channel.close')).replyCode).to.equal(code);
        client.send(method(1, 'channel.closeOk', {}), method(1, 'channel.open', { reserved1: '' }));
        await client.wait('channel.openOk');
      });
    }

    it('more channels than allowed: 530', async () => {
      await start({ maxChannelsPerConnection: 2 });
      const client = await raw().open();
      client.send(method(2, 'channel.open', { reserved1: '' }), method(3, 'channel.open', { reserved1: '' }));
      expect((await client.wait('connection.close')).replyCode).to.equal(530);
    });

    it('more queues than allowed: 506', async () => {
      await start({ maxQueues: 1 });
      const client = await raw().open();
      await client.queue('q1');
      await client.queue('q2').catch(() => undefined);
      expect((await client.wait('connection.close').catch(() => ({ replyCode: 0 }))).replyCode).to.equal(506);
    });

    it('frames behind connection.close are dropped silently', async () => {
      await start();
      const client = await raw().open();
      const close = method(0, 'connection.close', { replyCode: 200, replyText: '', classId: 0, methodId: 0 });
      client.send(close, publish(1, 'q'), header(1, 1), frame(9, 9, Buffer.alloc(3)));
      await client.wait('connection.closeOk');
      await client.end();
      expect(server.stats().counters.connectionErrors).to.equal(0);
    });

    it('a silent client is closed after its heartbeats are due', async () => {
      await start();
      const client = await raw().open({ heartbeat: 1 });
      await client.end();
    });

    it('a client that only sends heartbeats stays', async () => {
      await start();
      const client = await raw().open({ heartbeat: 1 });
      const timer = setInterval(() => client.send(frame(FRAME.heartbeat, 0, Buffer.alloc(0))), 400);
      await new Promise((resolve) => setTimeout(resolve, 3500));
      clearInterval(timer);
      expect(client.closed).to.equal(false);
    });
  });
});

function nestedDeclare(depth: number): Buffer {
  let table = Buffer.alloc(4);
  for (let i = 0; i < depth; i++) {
    const inner = Buffer.concat([Buffer.from([1, 97, 'F'.charCodeAt(0)]), table]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(inner.length);
    table = Buffer.concat([length, inner]);
  }
  return frame(FRAME.method, 1, Buffer.concat([Buffer.from([0, 50, 0, 10, 0, 0, 1, 65, 0]), table]));
}
