import { isUtf8 } from 'node:buffer';
import { type ByteWriter } from './byte-writer.js';
import { type Cursor } from './cursor.js';
import { ReplyError } from './reply-error.js';
import { type Field, type FieldTable, type FieldType, type FieldValue } from './spec.js';

/** Tables inside tables: deeper than any real message, far from the depth that would exhaust the stack. */
const MAX_DEPTH = 32;

/** Reads a field table (section 4.2.5.5, with RabbitMQ's type letters). Throws 502 on anything malformed. */
export function readTable(cursor: Cursor, depth = 0): FieldTable {
  checkDepth(depth);
  const end = openLength(cursor);
  const table: FieldTable = new Map();
  while (cursor.position < end) {
    const name = cursor.shortstr();
    table.set(name, readField(cursor, depth));
  }
  closeLength(cursor, end);
  return table;
}

function readField(cursor: Cursor, depth: number): Field {
  const type = String.fromCharCode(cursor.octet()) as FieldType;
  return { type, value: readValue(cursor, type, depth) };
}

function readValue(cursor: Cursor, type: FieldType, depth: number): FieldValue {
  const bytes = cursor.bytes;
  switch (type) {
    case 't':
      return cursor.octet() !== 0;
    case 'b':
      return bytes.readInt8(cursor.skip(1));
    case 'B':
      return cursor.octet();
    case 's':
      return bytes.readInt16BE(cursor.skip(2));
    case 'u':
      return cursor.short();
    case 'I':
      return bytes.readInt32BE(cursor.skip(4));
    case 'i':
      return cursor.long();
    case 'l':
      return safeNumber(bytes.readBigInt64BE(cursor.skip(8)));
    case 'L':
    case 'T':
      return safeNumber(bytes.readBigUInt64BE(cursor.skip(8)));
    case 'f':
      return bytes.readFloatBE(cursor.skip(4));
    case 'd':
      return bytes.readDoubleBE(cursor.skip(8));
    case 'D': {
      const at = cursor.skip(5);
      return Buffer.from(bytes.subarray(at, at + 5));
    }
    case 'S': {
      const octets = cursor.longstr();
      // Some clients put plain octets here; they stay what they are.
      return isUtf8(octets) ? octets.toString() : octets;
    }
    case 'x':
      return cursor.longstr();
    case 'A':
      return readArray(cursor, depth + 1);
    case 'F':
      return readTable(cursor, depth + 1);
    case 'V':
      return null;
    default:
      throw new ReplyError('SYNTAX_ERROR', `unknown field type '${String(type)}' in a table`);
  }
}

function readArray(cursor: Cursor, depth: number): Field[] {
  checkDepth(depth);
  const end = openLength(cursor);
  const fields: Field[] = [];
  while (cursor.position < end) fields.push(readField(cursor, depth));
  closeLength(cursor, end);
  return fields;
}

/** Sizes of the field types of fixed length, by letter code; the others carry their own length. */
const FIXED_SIZES = new Map<number, number>(
  (
    [
      ['t', 1],
      ['b', 1],
      ['B', 1],
      ['s', 2],
      ['u', 2],
      ['I', 4],
      ['i', 4],
      ['l', 8],
      ['L', 8],
      ['T', 8],
      ['f', 4],
      ['d', 8],
      ['D', 5],
      ['V', 0],
    ] as const
  ).map(([letter, size]) => [letter.charCodeAt(0), size]),
);
const [ARRAY, TABLE, LONGSTR, BYTES] = ['A', 'F', 'S', 'x'].map((letter) => letter.charCodeAt(0));

/** Checks one field and moves behind it without decoding; a cheap way to keep malformed content from consumers. */
export function skipField(cursor: Cursor, depth = 0): void {
  const type = cursor.octet();
  const fixed = FIXED_SIZES.get(type);
  if (fixed !== undefined) {
    cursor.skip(fixed);
    return;
  }
  if (type === LONGSTR || type === BYTES) {
    cursor.skip(cursor.long());
    return;
  }
  if (type !== ARRAY && type !== TABLE) {
    throw new ReplyError('SYNTAX_ERROR', `unknown field type '${String.fromCharCode(type)}' in a table`);
  }
  checkDepth(depth + 1);
  const end = openLength(cursor);
  while (cursor.position < end) {
    if (type === TABLE) cursor.skipText(cursor.octet());
    skipField(cursor, depth + 1);
  }
  closeLength(cursor, end);
}

function openLength(cursor: Cursor): number {
  const length = cursor.long();
  const end = cursor.position + length;
  if (end > cursor.end) throw new ReplyError('SYNTAX_ERROR', 'table reaches beyond the end of its frame');
  return end;
}

function closeLength(cursor: Cursor, end: number): void {
  if (cursor.position !== end) throw new ReplyError('SYNTAX_ERROR', 'table entry reaches beyond the end of its table');
}

function checkDepth(depth: number): void {
  if (depth > MAX_DEPTH) throw new ReplyError('SYNTAX_ERROR', `tables nested deeper than ${MAX_DEPTH}`);
}

function safeNumber(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Writes a field table with the type letters it was read with. */
export function writeTable(writer: ByteWriter, table: FieldTable): void {
  const at = writer.beginLength();
  for (const [name, field] of table) {
    writer.shortstr(name);
    writeField(writer, field);
  }
  writer.endLength(at);
}

/** Writes one typed value. */
export function writeField(writer: ByteWriter, field: Field): void {
  writer.octet(field.type.charCodeAt(0));
  const value = field.value;
  if (value === null) return;
  if (typeof value === 'boolean') writer.octet(value ? 1 : 0);
  else if (typeof value === 'string') writer.longstr(value);
  else if (typeof value === 'number' || typeof value === 'bigint') writeNumber(writer, field.type, value);
  else if (value instanceof Map) writeTable(writer, value);
  else if (Buffer.isBuffer(value)) {
    if (field.type === 'D') writer.raw(value);
    else writer.longstr(value);
  } else {
    const at = writer.beginLength();
    for (const item of value as readonly Field[]) writeField(writer, item);
    writer.endLength(at);
  }
}

const NUMBER_WRITERS: Partial<Record<FieldType, (bytes: Buffer, value: number | bigint) => number>> = {
  b: (bytes, value) => bytes.writeInt8(Number(value)),
  B: (bytes, value) => bytes.writeUInt8(Number(value)),
  s: (bytes, value) => bytes.writeInt16BE(Number(value)),
  u: (bytes, value) => bytes.writeUInt16BE(Number(value)),
  I: (bytes, value) => bytes.writeInt32BE(Number(value)),
  i: (bytes, value) => bytes.writeUInt32BE(Number(value)),
  l: (bytes, value) => bytes.writeBigInt64BE(BigInt(value)),
  L: (bytes, value) => bytes.writeBigUInt64BE(BigInt(value)),
  T: (bytes, value) => bytes.writeBigUInt64BE(BigInt(value)),
  f: (bytes, value) => bytes.writeFloatBE(Number(value)),
  d: (bytes, value) => bytes.writeDoubleBE(Number(value)),
};

function writeNumber(writer: ByteWriter, type: FieldType, value: number | bigint): void {
  const write = NUMBER_WRITERS[type];
  if (write === undefined) throw new TypeError(`a number cannot be written as field type '${type}'`);
  const bytes = Buffer.alloc(8);
  writer.raw(bytes.subarray(0, write(bytes, value)));
}

/** Plain values an application may put into server properties. */
export type PlainValue = string | number | boolean | { readonly [name: string]: PlainValue };

/** Makes a typed table of plain values: text, 32 or 64 bit integers, doubles, booleans and nested objects. */
export function tableOf(values: Readonly<Record<string, PlainValue>>): FieldTable {
  return new Map(Object.entries(values).map(([name, value]) => [name, fieldOf(value)]));
}

function fieldOf(value: PlainValue): Field {
  if (typeof value === 'string') return { type: 'S', value };
  if (typeof value === 'boolean') return { type: 't', value };
  if (typeof value === 'object') return { type: 'F', value: tableOf(value) };
  if (!Number.isSafeInteger(value)) return { type: 'd', value };
  return Math.abs(value) < 0x80000000 ? { type: 'I', value } : { type: 'l', value };
}
