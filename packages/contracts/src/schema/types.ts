import { WireType } from '@bufbuild/protobuf/wire';
import { failure } from '../errors/fail.js';
import { largeVarintSize, varintSize } from './byte-writer.js';
import type { Field, FieldType, ProtoDefinition } from './field.js';

/** Longest bytes or string field accepted when none is given: 4 MiB, the largest message between peers. */
export const DEFAULT_MAX_BYTES = 4 * 1024 * 1024;
/** Most items of a repeated field when no limit is given. */
export const DEFAULT_MAX_ITEMS = 65_536;

/** Thrown for bytes that are not the message they should be. */
export function malformed(path: string, what: string): Error {
  return failure('ERR_DATA_MALFORMED', `${path}: ${what}`);
}

/** Thrown for a value that does not fit its field. */
export function invalid(what: string): Error {
  return failure('ERR_DATA_INVALID', what);
}

const uint32Type: FieldType<number> = {
  proto: 'uint32',
  wire: WireType.Varint,
  empty: 0,
  isEmpty: (value) => value === 0,
  size: (value) => {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) {
      throw invalid(`${String(value)} is not an integer from 0 to 2^32-1`);
    }
    return varintSize(value);
  },
  write: (writer, value) => {
    writer.uint32(value);
  },
  read: (reader) => reader.uint32(),
};

const uint64Type: FieldType<number> = {
  proto: 'uint64',
  wire: WireType.Varint,
  empty: 0,
  isEmpty: (value) => value === 0,
  size: (value) => {
    if (!Number.isSafeInteger(value) || value < 0) throw invalid(`${String(value)} is not an integer from 0 to 2^53-1`);
    return largeVarintSize(value);
  },
  write: (writer, value) => {
    writer.uint64(value);
  },
  read: (reader, path) => {
    const value = reader.uint64();
    if (!Number.isSafeInteger(value)) throw malformed(path, 'a number above 2^53-1');
    return value;
  },
};

const boolType: FieldType<boolean> = {
  proto: 'bool',
  wire: WireType.Varint,
  empty: false,
  isEmpty: (value) => !value,
  size: () => 1,
  write: (writer, value) => {
    writer.uint32(value ? 1 : 0);
  },
  read: (reader) => reader.uint64() !== 0,
};

function stringType(max: number): FieldType<string> {
  return {
    proto: 'string',
    wire: WireType.LengthDelimited,
    empty: '',
    isEmpty: (value) => value === '',
    size: (value) => {
      const length = Buffer.byteLength(value, 'utf8');
      return varintSize(length) + length;
    },
    write: (writer, value) => {
      writer.text(value, Buffer.byteLength(value, 'utf8'));
    },
    read: (reader, path) => {
      const value = reader.text();
      if (value.length > max) throw malformed(path, `longer than ${max} characters`);
      return value;
    },
  };
}

function bytesType(min: number, max: number): FieldType<Uint8Array> {
  const wrong = (length: number): string => `${length} bytes where ${min === max ? min : `${min} to ${max}`} are due`;
  return {
    proto: 'bytes',
    wire: WireType.LengthDelimited,
    empty: new Uint8Array(0),
    isEmpty: (value) => value.length === 0,
    // A field of fixed length has no default: absent means that the sender left it out.
    absent: min > 0 ? wrong(0) : undefined,
    size: (value) => {
      const { byteLength } = value;
      if (!(byteLength >= min && byteLength <= max)) throw invalid(wrong(byteLength));
      return varintSize(byteLength) + byteLength;
    },
    write: (writer, value) => {
      writer.lengthDelimited(value);
    },
    read: (reader, path) => {
      const value = reader.lengthDelimited();
      if (value.length < min || value.length > max) throw malformed(path, wrong(value.length));
      return value;
    },
  };
}

function choiceType<V extends string>(name: string, values: readonly V[]): FieldType<V> {
  const prefix = name.replace(/([a-z])([A-Z])/g, '$1_$2').toUpperCase();
  const definition: ProtoDefinition = {
    name,
    uses: [],
    print: () =>
      [
        `enum ${name} {`,
        ...values.map((value, index) => `  ${prefix}_${value.replaceAll('-', '_').toUpperCase()} = ${index};`),
        '}',
      ].join('\n'),
  };
  const first = values[0];
  if (first === undefined) throw new TypeError(`the enumeration ${name} has no values`);
  return {
    proto: name,
    wire: WireType.Varint,
    empty: first,
    isEmpty: (value) => value === first,
    size: (value) => {
      const index = values.indexOf(value);
      if (index < 0) throw invalid(`"${value}" is not one of ${values.join(', ')}`);
      return varintSize(index);
    },
    write: (writer, value) => {
      writer.uint32(values.indexOf(value));
    },
    read: (reader, path) => {
      const value = values[reader.uint32()];
      if (value === undefined) throw malformed(path, `not one of ${values.join(', ')}`);
      return value;
    },
    uses: [definition],
  };
}

function single<T>(number: number, type: FieldType<T>): Field<T, false> {
  return { number, type: type as FieldType<unknown>, label: 'single', maxItems: 0 };
}

/** An unsigned 32-bit field. */
export const uint32 = (number: number): Field<number, false> => single(number, uint32Type);
/** An unsigned 64-bit field that holds 0 to 2^53-1; a larger value is malformed. */
export const uint64 = (number: number): Field<number, false> => single(number, uint64Type);
/** A boolean field. */
export const bool = (number: number): Field<boolean, false> => single(number, boolType);
/** A UTF-8 string field of at most `maxLength` UTF-16 units. */
export const string = (number: number, limits: { maxLength?: number } = {}): Field<string, false> =>
  single(number, stringType(limits.maxLength ?? DEFAULT_MAX_BYTES));
/** A bytes field of exactly `length` bytes, or of at most `maxLength`. */
export const bytes = (number: number, limits: { length?: number; maxLength?: number } = {}): Field<Uint8Array, false> =>
  single(number, bytesType(limits.length ?? 0, limits.length ?? limits.maxLength ?? DEFAULT_MAX_BYTES));
/** One of a few words; the first is the default. Printed as a protobuf enumeration called `name`. */
export const choice = <const V extends string>(number: number, name: string, values: readonly V[]): Field<V, false> =>
  single(number, choiceType(name, values));

/** A field that may be absent; present, it is always written, even when empty. */
export const optional = <T>(field: Field<T, false>, oneof?: string): Field<T | undefined, true> => ({
  number: field.number,
  type: field.type,
  label: 'optional',
  maxItems: 0,
  oneof,
});

/** A list of strings, bytes or messages. Lists of numbers are not offered: their packed form has two encodings. */
export const repeated = <T>(field: Field<T, false>, limits: { maxItems?: number } = {}): Field<readonly T[], false> => {
  if (field.type.wire !== WireType.LengthDelimited)
    throw new TypeError('a repeated field is of strings, bytes or messages');
  return { number: field.number, type: field.type, label: 'repeated', maxItems: limits.maxItems ?? DEFAULT_MAX_ITEMS };
};
