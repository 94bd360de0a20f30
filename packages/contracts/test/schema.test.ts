import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  bool,
  bytes,
  choice,
  hasCode,
  message,
  nested,
  optional,
  printProto,
  repeated,
  string,
  toHex,
  uint32,
  uint64,
} from '@it-chain/contracts';

const Inner = message('Inner', { word: string(1), flag: bool(2) });
const Sample = message('Sample', {
  small: uint32(1),
  large: uint64(2),
  text: string(3, { maxLength: 20 }),
  raw: bytes(4, { maxLength: 40 }),
  fixed: bytes(5, { length: 4 }),
  color: choice(6, 'Color', ['red', 'green', 'dark-blue']),
  inner: nested(7, Inner),
  maybe: optional(uint32(8)),
  list: repeated(bytes(9), { maxItems: 5 }),
  inners: repeated(nested(10, Inner)),
  left: optional(bytes(11), 'side'),
  right: optional(nested(12, Inner), 'side'),
});

const inner = fc.record({ word: fc.string({ maxLength: 10 }), flag: fc.boolean() });
const bin = (max: number) => fc.uint8Array({ maxLength: max });
const sample = fc
  .record({
    small: fc.integer({ min: 0, max: 0xffffffff }),
    large: fc.maxSafeNat(),
    text: fc.string({ maxLength: 20 }),
    raw: bin(40),
    fixed: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    color: fc.constantFrom('red' as const, 'green' as const, 'dark-blue' as const),
    inner,
    list: fc.array(bin(8), { maxLength: 5 }),
    inners: fc.array(inner, { maxLength: 4 }),
  })
  .chain((base) =>
    fc.oneof(
      fc.constant(base),
      fc.integer({ min: 0, max: 9 }).map((maybe) => ({ ...base, maybe })),
      bin(4).map((left) => ({ ...base, left })),
      inner.map((right) => ({ ...base, right })),
    ),
  );

const malformed = (run: () => unknown): void => {
  try {
    run();
  } catch (error) {
    expect(hasCode(error, 'ERR_DATA_MALFORMED'), String(error)).to.equal(true);
    return;
  }
  expect.fail('accepted');
};
const value = {
  small: 0,
  large: 0,
  text: '',
  raw: new Uint8Array(0),
  fixed: new Uint8Array(4),
  color: 'red' as const,
  inner: { word: '', flag: false },
  list: [],
  inners: [],
};

describe('schema', () => {
  it('gives back what it encodes, in the canonical form', () => {
    fc.assert(
      fc.property(sample, (one) => {
        const encoded = Sample.encode(one);
        expect(Sample.decodeCanonical(encoded)).to.deep.equal(one);
        expect(toHex(Sample.encode(Sample.decode(encoded)))).to.equal(toHex(encoded));
      }),
    );
  });

  it('leaves defaults out and keeps the order of numbers (golden)', () => {
    expect(toHex(Sample.encode(value))).to.equal('2a04000000003a00');
    expect(
      toHex(
        Sample.encode({ ...value, inner: { flag: true, word: 'hi' }, large: 2 ** 40, color: 'dark-blue', maybe: 0 }),
      ),
    ).to.equal('10808080808020' + '2a0400000000' + '3002' + '3a06' + '0a026869' + '1001' + '4000');
  });

  it('throws ERR_DATA_MALFORMED and nothing else for random and cut bytes', () => {
    const tolerant = (one: Uint8Array): void => {
      try {
        Sample.decode(one);
        Sample.decodeCanonical(one);
      } catch (error) {
        expect(hasCode(error, 'ERR_DATA_MALFORMED'), String(error)).to.equal(true);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), tolerant), { numRuns: 3_000 });
    fc.assert(
      fc.property(sample, fc.nat(), fc.integer({ min: 0, max: 255 }), (one, at, byte) => {
        const encoded = Sample.encode(one);
        for (let end = 0; end < encoded.length; end += 1) tolerant(encoded.subarray(0, end));
        const changed = Uint8Array.from(encoded);
        changed[at % changed.length] = byte;
        tolerant(changed);
      }),
      { numRuns: 300 },
    );
  });

  it('refuses in canonical form what decode forgives: unknown fields, other orders, written defaults, long varints', () => {
    const encoded = Sample.encode({ ...value, small: 5 });
    const unknown = Buffer.concat([encoded, Buffer.from('f80101', 'hex')]);
    expect(Sample.decode(unknown).small).to.equal(5);
    malformed(() => Sample.decodeCanonical(unknown));
    malformed(() => Sample.decodeCanonical(Buffer.concat([encoded, Buffer.from('1000', 'hex')])));
    malformed(() => Sample.decodeCanonical(Buffer.from('2a0400000000' + '3a00' + '0805', 'hex')));
    malformed(() => Sample.decodeCanonical(Buffer.from('088500' + '2a0400000000' + '3a00', 'hex')));
  });

  it('refuses lengths, choices, lists and numbers beyond their limits', () => {
    malformed(() => Sample.decode(Buffer.from('2a03000000' + '3a00', 'hex')));
    malformed(() => Sample.decode(Buffer.from('3a00', 'hex')));
    malformed(() => Sample.decode(Buffer.from('2a0400000000', 'hex')));
    malformed(() => Sample.decode(Buffer.from('3003' + '2a0400000000' + '3a00', 'hex')));
    malformed(() => Sample.decode(Buffer.from('2a0400000000' + '3a00' + '4a00'.repeat(6), 'hex')));
    malformed(() => Sample.decode(Buffer.from('10ffffffffffffffff7f' + '2a0400000000' + '3a00', 'hex')));
    malformed(() => Sample.decode(Buffer.from('2a0400000000' + '3a00' + '5a0100' + '6200', 'hex')));
  });

  it('refuses values that do not fit with ERR_DATA_INVALID', () => {
    const bad = [
      { ...value, small: -1 },
      { ...value, large: 1.5 },
      { ...value, fixed: new Uint8Array(3) },
      { ...value, left: new Uint8Array(0), right: { word: '', flag: false } },
      { ...value, list: Array.from({ length: 6 }, () => new Uint8Array(0)) },
    ];
    for (const one of bad) {
      try {
        Sample.encode(one);
        expect.fail('encoded');
      } catch (error) {
        expect(hasCode(error, 'ERR_DATA_INVALID'), String(error)).to.equal(true);
      }
    }
  });

  it('writes the same bytes as protobuf-es, also texts of any alphabet and messages of any length', () => {
    const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.constant('\uFEFFmark'), fc.constant(''));
    const words = fc.array(fc.record({ word: text, flag: fc.boolean() }), { maxLength: 6 });
    const Texts = message('Texts', { text: string(1), inner: nested(2, Inner), inners: repeated(nested(300, Inner)) });
    const one = fc.record({
      text: fc.oneof(
        text,
        fc.nat({ max: 40_000 }).map((length) => 'é'.repeat(length)),
      ),
      inner: fc.record({ word: fc.nat({ max: 20_000 }).map((length) => 'x'.repeat(length)), flag: fc.boolean() }),
      inners: words,
    });
    const writeInner = (writer: BinaryWriter, { word, flag }: { word: string; flag: boolean }): void => {
      writer.fork();
      if (word !== '') writer.tag(1, WireType.LengthDelimited).string(word);
      if (flag) writer.tag(2, WireType.Varint).bool(flag);
      writer.join();
    };
    fc.assert(
      fc.property(one, (wanted) => {
        const writer = new BinaryWriter();
        if (wanted.text !== '') writer.tag(1, WireType.LengthDelimited).string(wanted.text);
        writeInner(writer.tag(2, WireType.LengthDelimited), wanted.inner);
        for (const each of wanted.inners) writeInner(writer.tag(300, WireType.LengthDelimited), each);
        const encoded = Texts.encode(wanted);
        expect(Buffer.compare(encoded, writer.finish())).to.equal(0);
        expect(Texts.decodeCanonical(encoded)).to.deep.equal(wanted);
      }),
    );
  });

  it('reads and refuses the same bytes as protobuf-es', () => {
    const Numbers = message('Numbers', { small: uint32(1), large: uint64(2), flag: bool(3), raw: bytes(4) });
    const reference = (input: Uint8Array): object => {
      const reader = new BinaryReader(input);
      const read = { small: 0, large: 0, flag: false, raw: new Uint8Array(0) as Uint8Array };
      while (reader.pos < reader.len) {
        const [number, wire] = reader.tag();
        if (number === 1 && wire === WireType.Varint) read.small = reader.uint32();
        else if (number === 2 && wire === WireType.Varint) {
          read.large = Number(reader.uint64());
          if (!Number.isSafeInteger(read.large)) throw new RangeError('too large');
        } else if (number === 3 && wire === WireType.Varint) read.flag = reader.bool();
        else if (number === 4 && wire === WireType.LengthDelimited) read.raw = reader.bytes();
        else reader.skip(wire, number);
      }
      return read;
    };
    // Tags of these fields, of unknown ones of every wire type, and varints of up to eleven bytes.
    const varint = fc
      .array(fc.integer({ min: 0x80, max: 0xff }), { maxLength: 10 })
      .chain((head) => fc.integer({ min: 0, max: 0x7f }).map((last) => [...head, last]));
    const token = fc.oneof(
      fc.constantFrom([0x08], [0x10], [0x18], [0x22, 0x02], [0x2b], [0x2c], [0x2d], [0x31], [0x3a, 0x01], [0x88, 0x01]),
      varint,
      fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 4 }),
    );
    const outcome = (run: () => object): unknown => {
      try {
        return run();
      } catch {
        return 'refused';
      }
    };
    fc.assert(
      fc.property(fc.array(token, { maxLength: 6 }), (tokens) => {
        const input = Uint8Array.from(tokens.flat());
        expect(outcome(() => Numbers.decode(input))).to.deep.equal(outcome(() => reference(input)));
      }),
      { numRuns: 5_000 },
    );
  });

  it('refuses two fields of one number and lists of numbers when defined', () => {
    expect(() => message('Twice', { a: uint32(1), b: uint32(1) })).to.throw(TypeError);
    expect(() => repeated(uint32(1))).to.throw(TypeError);
  });

  it('prints a .proto file', () => {
    expect(printProto('test.v1', [Sample]))
      .to.include('enum Color {')
      .and.to.include('  oneof side {')
      .and.to.include('  repeated bytes list = 9;');
  });
});
