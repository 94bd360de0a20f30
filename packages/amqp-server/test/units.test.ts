import { createRequire } from 'node:module';
import { expect } from 'chai';
import fc from 'fast-check';
import { type Binding } from '../dist/broker/exchange.js';
import { EntryDeque, type QueueEntry } from '../dist/broker/message-store.js';
import { TopicIndex } from '../dist/broker/topic-index.js';
import { ByteWriter } from '../dist/wire/byte-writer.js';
import { ContentHeader } from '../dist/wire/content-header.js';
import { Cursor } from '../dist/wire/cursor.js';
import { readTable, skipField, writeTable } from '../dist/wire/field-table.js';
import { FrameParser } from '../dist/wire/frame-parser.js';
import { decodeMethod, encodeMethod } from '../dist/wire/method-codec.js';
import { ReplyError, shortText } from '../dist/wire/reply-error.js';
import { type Field, type FieldTable, type MethodName, METHODS } from '../dist/wire/spec.js';
import { frame } from './raw-client.js';

interface ForeignMethod {
  id: number;
  classId: number;
  methodId: number;
  args: { name: string; type: string }[];
}

describe('the method table', () => {
  it('agrees with the table of another implementation (amqplib)', () => {
    const foreign = createRequire(import.meta.url)(
      createRequire(import.meta.url)
        .resolve('amqplib')
        .replace('channel_api.js', 'lib/defs.js'),
    ) as { info(id: number): ForeignMethod } & Record<string, number>;
    for (const [name, [classId, methodId, text]] of Object.entries(METHODS)) {
      const pascal = name.replace(/(^|\.)(.)/g, (_all, _dot, letter: string) => letter.toUpperCase());
      const id = foreign[pascal];
      if (id === undefined) continue; // Methods amqplib does not know: tx, access.request-ok.
      const other = foreign.info(id);
      expect([name, other.classId, other.methodId]).to.deep.equal([name, classId, methodId]);
      const types = text
        .split(' ')
        .filter(Boolean)
        .map((part) => part.split(':')[1]);
      expect([name, ...other.args.map((argument) => argument.type)]).to.deep.equal([name, ...types]);
    }
  });

  it('every method survives a round trip', () => {
    const values: Record<string, unknown> = {
      octet: 200,
      short: 65_000,
      long: 4e9,
      longlong: 2 ** 40 + 5,
      bit: true,
      shortstr: 'ä text',
      longstr: Buffer.from([0, 255]),
      table: new Map([['k', { type: 'S', value: 'v' }]]),
    };
    for (const [name, [, , text]] of Object.entries(METHODS) as [MethodName, readonly [number, number, string]][]) {
      const pairs = text
        .split(' ')
        .filter(Boolean)
        .map((part) => part.split(':') as [string, string]);
      const args = Object.fromEntries(pairs.map(([argument, type]) => [argument, values[type]]));
      const writer = new ByteWriter(4);
      encodeMethod(writer, name, args as never);
      const bytes = writer.toBuffer();
      expect(decodeMethod(bytes, 0, bytes.length)).to.deep.equal({ name, arguments: args });
    }
  });
});

describe('field tables', () => {
  const field: fc.Memo<Field> = fc.memo((depth) => {
    const number = (type: Field['type'], min: number, max: number): fc.Arbitrary<Field> =>
      fc.integer({ min, max }).map((value) => ({ type, value }));
    const leaf: fc.Arbitrary<Field> = fc.oneof(
      fc.boolean().map((value): Field => ({ type: 't', value })),
      number('b', -128, 127),
      number('B', 0, 255),
      number('s', -32_768, 32_767),
      number('u', 0, 65_535),
      number('I', -0x80000000, 0x7fffffff),
      number('i', 0, 0xffffffff),
      number('l', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
      number('T', 0, Number.MAX_SAFE_INTEGER),
      fc.double({ noNaN: true }).map((value): Field => ({ type: 'd', value })),
      fc.string({ unit: 'grapheme', maxLength: 20 }).map((value): Field => ({ type: 'S', value })),
      fc.uint8Array({ maxLength: 9 }).map((value): Field => ({ type: 'x', value: Buffer.from(value) })),
      fc.uint8Array({ minLength: 5, maxLength: 5 }).map((value): Field => ({ type: 'D', value: Buffer.from(value) })),
      fc.constant<Field>({ type: 'V', value: null }),
      fc.bigInt({ min: 2n ** 60n, max: 2n ** 62n }).map((value): Field => ({ type: 'l', value })),
    );
    if (depth <= 1) return leaf;
    const inner = field(depth - 1);
    const list = fc.array(inner, { maxLength: 4 }).map((value): Field => ({ type: 'A', value }));
    const table = fc.dictionary(fc.string({ maxLength: 9 }), inner, { maxKeys: 4, noNullPrototype: true });
    return fc.oneof(
      leaf,
      list,
      table.map((value): Field => ({ type: 'F', value: new Map(Object.entries(value)) })),
    );
  });

  it('survive a round trip, and are skipped to the same end', () => {
    fc.assert(
      fc.property(field(3), (value) => {
        const table: FieldTable = new Map([['field', value]]);
        const writer = new ByteWriter(4);
        writeTable(writer, table);
        const bytes = writer.toBuffer();
        expect(readTable(new Cursor(bytes, 0, bytes.length))).to.deep.equal(table);
        const cursor = new Cursor(bytes, 10, bytes.length);
        skipField(cursor);
        expect(cursor.position).to.equal(bytes.length);
      }),
    );
  });

  it('any octets give a table or a syntax error, nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (octets) => {
        for (const read of [(cursor: Cursor) => void readTable(cursor), (cursor: Cursor) => skipField(cursor)]) {
          try {
            read(new Cursor(Buffer.from(octets), 0, octets.length));
          } catch (error) {
            expect(error).to.be.instanceOf(ReplyError);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('content headers', () => {
  it('can be rewritten property by property', () => {
    const bytes = Buffer.concat([
      Buffer.from([0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0x82, 0x40]),
      Buffer.from('\x01t\x05reply\x02id', 'latin1').subarray(0, 8),
      Buffer.from('\x02cc', 'latin1'),
    ]);
    // Flags 0x8240: content type, reply-to and (bit 6) timestamp would be longer, so build the one we mean.
    bytes.writeUInt16BE(0x8600, 12);
    const header = new ContentHeader().scan(bytes, 0, bytes.length);
    expect([header.text('contentType'), header.text('correlationId'), header.text('replyTo')]).to.deep.equal([
      't',
      'reply',
      'cc',
    ]);
    const changed = header.rewrite(
      new Map([
        ['replyTo', Buffer.from('\x01x')],
        ['contentType', null],
      ]),
    );
    const again = new ContentHeader().scan(changed, 0, changed.length);
    expect([
      again.text('contentType'),
      again.text('correlationId'),
      again.text('replyTo'),
      again.bodySize,
    ]).to.deep.equal([undefined, 'reply', 'x', 9]);
  });
});

describe('frames', () => {
  it('come out the same however the octets are cut', () => {
    const parts = [
      frame(1, 1, Buffer.from('method')),
      frame(2, 2, Buffer.alloc(0)),
      frame(3, 70, Buffer.alloc(500, 7)),
    ];
    const whole = Buffer.concat([...parts, ...parts]);
    fc.assert(
      fc.property(fc.array(fc.nat(whole.length), { maxLength: 12 }), (cuts) => {
        const found: string[] = [];
        const parser = new FrameParser(4096, (type, channel, bytes, start, end) => {
          found.push(`${type} ${channel} ${bytes.toString('hex', start, end)}`);
        });
        const places = [0, ...cuts.sort((a, b) => a - b), whole.length];
        places.slice(1).forEach((to, index) => parser.push(whole.subarray(places[index], to)));
        const expected = parts.map(
          (part) => `${part[0]} ${part.readUInt16BE(1)} ${part.toString('hex', 7, part.length - 1)}`,
        );
        expect(found).to.deep.equal([...expected, ...expected]);
      }),
    );
  });
});

describe('the topic index', () => {
  /** The definition of topic matching, word by word, without regard to cost. */
  function matches(pattern: readonly string[], key: readonly string[]): boolean {
    const [head, ...rest] = pattern;
    if (head === undefined) return key.length === 0;
    if (head === '#') return matches(rest, key) || (key.length > 0 && matches(pattern, key.slice(1)));
    return key.length > 0 && (head === '*' || head === key[0]) && matches(rest, key.slice(1));
  }
  const split = (text: string): string[] => (text === '' ? [] : text.split('.'));

  it('agrees with the definition', () => {
    const word = fc.constantFrom('a', 'b', '', '*', '#');
    const text = fc.array(word, { maxLength: 6 }).map((words) => words.join('.'));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 8 }), text, (patterns, key) => {
        const index = new TopicIndex();
        const bindings = patterns.map((routingKey) => ({ routingKey }) as Binding);
        const found = (): string[] => {
          const keys: string[] = [];
          index.match(
            key,
            () => new Map(),
            ({ routingKey }) => keys.push(routingKey),
          );
          return keys.sort();
        };
        for (const binding of bindings) index.add(binding);
        expect(found()).to.deep.equal(patterns.filter((pattern) => matches(split(pattern), split(key))).sort());
        for (const binding of bindings) index.delete(binding);
        expect(found()).to.deep.equal([]);
      }),
    );
  });

  it('is not slowed down by many #', () => {
    const index = new TopicIndex();
    index.add({ routingKey: `${'#.'.repeat(100)}end` } as Binding);
    let found = 0;
    index.match(
      `${'a.'.repeat(120)}other`,
      () => new Map(),
      () => found++,
    );
    expect(found).to.equal(0);
  });
});

describe('the deque of a queue', () => {
  it('keeps positions in order whatever is taken and put back', () => {
    const step = fc.oneof(fc.constant('push'), fc.constant('shift'), fc.nat(20));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const deque = new EntryDeque();
        const inside: number[] = [];
        let outside: QueueEntry[] = [];
        let next = 0;
        for (const what of steps) {
          if (what === 'push') {
            inside.push(next);
            deque.push({ position: next++ } as QueueEntry);
          } else if (what === 'shift') {
            const entry = deque.shift();
            expect(entry?.position).to.equal(inside.shift());
            if (entry !== undefined) outside.push(entry);
          } else {
            const back = outside.filter((entry) => entry.position % (what + 1) === 0);
            outside = outside.filter((entry) => !back.includes(entry));
            deque.putBack(back);
            inside.push(...back.map((entry) => entry.position));
            inside.sort((a, b) => a - b);
          }
          expect(deque.length).to.equal(inside.length);
          expect(deque.peek()?.position).to.equal(inside[0]);
        }
      }),
    );
  });
});

describe('reply texts', () => {
  it('fit into a short string, whole characters only', () => {
    expect(shortText('short')).to.equal('short');
    const long = shortText('ä'.repeat(300));
    expect(Buffer.byteLength(long)).to.be.at.most(255);
    expect(long).to.match(/^ä+\.\.\.$/);
  });
});
