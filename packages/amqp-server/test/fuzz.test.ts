import { duplexPair } from 'node:stream';
import { AmqpServer } from '@it-chain/amqp-server';
import amqp from 'amqplib';
import { expect } from 'chai';
import fc from 'fast-check';
import { ByteWriter } from '../dist/wire/byte-writer.js';
import { writeTable } from '../dist/wire/field-table.js';
import { type Field, type FieldTable, FRAME, type MethodName, METHODS, PROTOCOL_HEADER } from '../dist/wire/spec.js';
import { frame, header, method, publish, startOk } from './raw-client.js';

/** A correct session: login, a channel, a queue, a consumer, a confirmed publish with properties, a get. */
function session(): Buffer {
  const flags = { passive: false, durable: false, exclusive: true, autoDelete: false, nowait: false };
  const properties = Buffer.concat([
    Buffer.from([0xf0, 0x00]),
    Buffer.from('\x04text', 'latin1'),
    Buffer.from('\x01g', 'latin1'),
    Buffer.from([0, 0, 0, 8, 1, 97, 0x53, 0, 0, 0, 1, 98]),
    Buffer.from([2]),
  ]);
  return Buffer.concat([
    PROTOCOL_HEADER,
    startOk(),
    method(0, 'connection.tuneOk', { channelMax: 100, frameMax: 8192, heartbeat: 0 }),
    method(0, 'connection.open', { virtualHost: '/', reserved1: '', reserved2: false }),
    method(1, 'channel.open', { reserved1: '' }),
    method(1, 'confirm.select', { nowait: false }),
    method(1, 'queue.declare', { ticket: 0, queue: 'fuzz', ...flags, arguments: new Map() }),
    publish(1, 'fuzz'),
    header(1, 5, 60, properties),
    frame(FRAME.body, 1, Buffer.from('hello')),
    method(1, 'basic.get', { ticket: 0, queue: 'fuzz', noAck: false }),
    method(1, 'basic.nack', { deliveryTag: 1, multiple: false, requeue: true }),
    method(1, 'queue.delete', { ticket: 0, queue: 'fuzz', ifUnused: false, ifEmpty: false, nowait: false }),
    method(1, 'channel.close', { replyCode: 200, replyText: '', classId: 0, methodId: 0 }),
  ]);
}

describe('mutated input', function () {
  this.timeout(60_000);
  let server: AmqpServer;
  let failures: string[] = [];

  beforeEach(() => {
    failures = [];
    server = new AmqpServer({ closeTimeoutMs: 50, authFailureDelayMs: 0 });
    server.on('warning', ({ code, message }) => {
      if (code === 'ERR_AMQP_INTERNAL') failures.push(message);
    });
  });
  afterEach(async () => {
    const address = await server.listen();
    const connection = await amqp.connect(address.url);
    await connection.close();
    await server.close();
    expect(failures).to.deep.equal([]);
  });

  const feed = async (...chunks: Buffer[]): Promise<void> => {
    const [near, far] = duplexPair();
    near.on('error', () => undefined); // Being cut off is expected.
    near.resume();
    server.attach(far);
    for (const chunk of chunks) near.write(chunk);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    near.end();
  };

  it('300 sessions with changed, removed and added octets do no harm', async () => {
    const whole = session();
    const edit = fc.record({
      at: fc.nat(whole.length - 1),
      kind: fc.constantFrom('change', 'remove', 'insert'),
      octet: fc.nat(255),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 6 }), fc.nat(whole.length), async (edits, cut) => {
        const octets = [...whole];
        for (const { at, kind, octet } of edits) {
          if (kind === 'change') octets[at] = octet;
          else octets.splice(at, kind === 'remove' ? 1 : 0, ...(kind === 'insert' ? [octet] : []));
        }
        const bytes = Buffer.from(octets);
        await feed(bytes.subarray(0, cut), bytes.subarray(cut));
      }),
      { numRuns: 300 },
    );
    while (server.stats().connections > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(server.stats().memoryBytes).to.equal(0);
  });

  it('any arguments of any method, on an open channel, do no harm', async () => {
    const names = Object.keys(METHODS) as MethodName[];
    const opened = session().subarray(0, session().indexOf(method(1, 'confirm.select', { nowait: false })));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.uint8Array({ maxLength: 60 }),
        fc.nat(2),
        async (name, args, id) => {
          const [classId, methodId] = METHODS[name];
          const payload = Buffer.concat([Buffer.from([0, classId, 0, methodId]), args]);
          await feed(opened, frame(FRAME.method, id, payload));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('mutated headers of messages that expire into a dead letter exchange do no harm', async () => {
    const text = (value: string): Field => ({ type: 'S', value });
    const death: FieldTable = new Map([
      ['count', { type: 'l', value: 3 }],
      ['reason', text('expired')],
      ['queue', text('dying')],
      ['routing-keys', { type: 'A', value: [text('k')] }],
    ]);
    const headers: FieldTable = new Map([
      ['x-death', { type: 'A', value: [{ type: 'F', value: death }] }],
      ['CC', { type: 'A', value: [text('letters')] }],
      ['x-first-death-queue', text('first')],
    ]);
    const writer = new ByteWriter();
    writeTable(writer, headers);
    const whole = writer.toBuffer();
    const login = session().subarray(0, session().indexOf(method(1, 'confirm.select', { nowait: false })));
    const flags = { passive: false, durable: false, exclusive: true, autoDelete: false, nowait: false };
    const declare = (queue: string, table: FieldTable): Buffer =>
      method(1, 'queue.declare', { ticket: 0, queue, ...flags, arguments: table });
    const dying: FieldTable = new Map([
      ['x-message-ttl', { type: 'I', value: 0 }],
      ['x-dead-letter-exchange', text('')],
    ]);
    const edits = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(edits, async (changes) => {
        const table = Buffer.from(whole);
        for (const [at, octet] of changes) table[at] = octet;
        const content = header(1, 0, 60, Buffer.concat([Buffer.from([0x20, 0]), table]));
        await feed(login, declare('letters', new Map()), declare('dying', dying), publish(1, 'dying'), content);
      }),
      { numRuns: 500 },
    );
    expect(server.stats().counters.expired).to.be.greaterThan(50);
    while (server.stats().connections > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(server.stats().memoryBytes).to.equal(0);
  });
});
