import { WireType } from '@bufbuild/protobuf/wire';
import { isItChainError, messageOf } from '../errors/it-chain-error.js';
import { ByteReader } from './byte-reader.js';
import { ByteWriter, allocate, varintSize } from './byte-writer.js';
import type { Field, FieldType, ProtoDefinition } from './field.js';
import { invalid, malformed } from './types.js';

/** The fields of a message by their TypeScript names. */
export type Fields = Readonly<Record<string, Field<unknown>>>;

type TypeOf<F> = F extends Field<infer T> ? T : never;
type OptionalKeys<F extends Fields> = { [K in keyof F]: F[K] extends Field<unknown, true> ? K : never }[keyof F];

/** The TypeScript type of a message with these fields. */
export type MessageOf<F extends Fields> = {
  readonly [K in Exclude<keyof F, OptionalKeys<F>>]: TypeOf<F[K]>;
} & { readonly [K in OptionalKeys<F>]?: TypeOf<F[K]> };

/** A protobuf message: its canonical encoding, its decoders and its `.proto` text. */
export interface Message<T> extends ProtoDefinition {
  readonly name: string;
  /** The one canonical form: fields in the order of their numbers, defaults left out. Throws ERR_DATA_INVALID. */
  encode(value: T): Uint8Array;
  /** Reads any valid protobuf form and skips unknown fields. Throws ERR_DATA_MALFORMED. */
  decode(bytes: Uint8Array): T;
  /** Reads the canonical form only: what it accepts, {@link encode} gives back bit by bit. Throws ERR_DATA_MALFORMED. */
  decodeCanonical(bytes: Uint8Array): T;
  /** The fields, for generators of documents. */
  readonly fields: Fields;
  /** The same without a length, for a field that holds such a message: see {@link FieldType}. */
  readonly content: MessageContent<T>;
  readonly _type?: T;
}

/** The fields of a message one after the other. */
export interface MessageContent<T> {
  size(value: T, sizes: number[]): number;
  write(writer: ByteWriter, value: T): void;
  /** Reads to the end that the reader has now. */
  read(reader: ByteReader): T;
}

/** The TypeScript type of a message definition. */
export type Infer<M> = M extends Message<infer T> ? T : never;

interface Entry {
  readonly key: string;
  readonly path: string;
  readonly field: Field<unknown>;
  /** Number and wire type, as they are written. */
  readonly tag: number;
  readonly tagSize: number;
}

/**
 * Defines a message. The fields are written in the order of their numbers, whatever the order here.
 * @throws TypeError for two fields of one number.
 */
export function message<F extends Fields>(name: string, fields: F): Message<MessageOf<F>> {
  const entries: Entry[] = Object.entries(fields)
    .map(([key, field]) => {
      const tag = ((field.number << 3) | field.type.wire) >>> 0;
      return { key, path: `${name}.${key}`, field, tag, tagSize: varintSize(tag) };
    })
    .sort((a, b) => a.field.number - b.field.number);
  if (new Set(entries.map(({ field }) => field.number)).size !== entries.length) {
    throw new TypeError(`${name} has two fields of one number`);
  }
  const content = contentOf(name, entries) as MessageContent<MessageOf<F>>;
  const codec: Message<MessageOf<F>> = {
    name,
    fields,
    content,
    uses: entries.flatMap(({ field }) => field.type.uses ?? []),
    encode: (value) => {
      try {
        return encodeContent(content, value, allocate);
      } catch (error) {
        if (isItChainError(error)) throw error;
        throw invalid(`${name}: ${messageOf(error)}`);
      }
    },
    decode: (bytes) => {
      try {
        return content.read(new ByteReader(bytes));
      } catch (error) {
        if (isItChainError(error)) throw error;
        throw malformed(name, messageOf(error));
      }
    },
    decodeCanonical: (bytes) => {
      const value = codec.decode(bytes);
      const isCanonical = sameBytes(encodeContent(content, value, scratch), bytes);
      if (!isCanonical) throw malformed(name, 'not in canonical form');
      return value;
    },
    print: () => printMessage(name, entries),
  };
  return codec;
}

function encodeContent<T>(content: MessageContent<T>, value: T, bytesOf: (size: number) => Uint8Array): Uint8Array {
  const sizes: number[] = [];
  const size = content.size(value, sizes);
  const writer = new ByteWriter(bytesOf(size), sizes);
  content.write(writer, value);
  if (writer.length !== size) throw new RangeError(`${writer.length} bytes were written where ${size} were measured`);
  return writer.bytes;
}

/** Where a canonical form is written to be compared, and then overwritten. */
const compared = new Uint8Array(65_536);
const scratch = (size: number): Uint8Array =>
  size <= compared.length ? compared.subarray(0, size) : new Uint8Array(size);

/** A field that holds another message. */
export function nested<T>(number: number, of: Message<T>): Field<T, false> {
  const { content } = of;
  const type: FieldType<T> = {
    proto: of.name,
    wire: WireType.LengthDelimited,
    // Absent is not the same as empty for a message: a plain field is always written.
    empty: undefined as T,
    absent: 'is missing',
    isEmpty: () => false,
    size: (value, sizes) => {
      const place = sizes.push(0) - 1;
      const size = content.size(value, sizes);
      sizes[place] = size;
      return varintSize(size) + size;
    },
    write: (writer, value) => {
      writer.uint32(writer.nextSize());
      content.write(writer, value);
    },
    read: (reader) => reader.nested(content),
    uses: [of],
  };
  return { number, type: type as FieldType<unknown>, label: 'single', maxItems: 0 };
}

function contentOf(name: string, entries: readonly Entry[]): MessageContent<object> {
  const byTag = new Map(entries.map((entry) => [entry.tag, entry]));
  const lists = entries.filter(({ field }) => field.label === 'repeated').map(({ key }) => key);
  const plain = entries.filter(({ field }) => field.label === 'single');
  const choices = entries.filter(({ field }) => field.oneof !== undefined);
  return {
    size: (value, sizes) => {
      if (choices.length > 0) requireOneChoice(choices, value);
      return sizeFields(entries, value, sizes);
    },
    write: (writer, value) => {
      writeFields(writer, entries, value);
    },
    read: (reader) => {
      const value: Record<string, unknown> = {};
      for (const key of lists) value[key] = [];
      readFields(reader, value, byTag);
      fillDefaults(value, plain, name);
      return value;
    },
  };
}

function requireOneChoice(choices: readonly Entry[], value: object): void {
  const chosen = new Map<string, string>();
  for (const { key, path, field } of choices) {
    if ((value as Record<string, unknown>)[key] === undefined || field.oneof === undefined) continue;
    const other = chosen.get(field.oneof);
    if (other !== undefined) throw invalid(`${path} and ${other} exclude each other`);
    chosen.set(field.oneof, path);
  }
}

/** Bytes of all fields; the only place that looks whether the value fits. */
function sizeFields(entries: readonly Entry[], value: object, sizes: number[]): number {
  let size = 0;
  for (const { key, path, field, tagSize } of entries) {
    const { label, type, maxItems } = field;
    const item = (value as Record<string, unknown>)[key];
    if (label === 'repeated') {
      if (!Array.isArray(item)) throw invalid(`${path} is not a list`);
      if (item.length > maxItems) throw invalid(`${path} has more than ${maxItems} items`);
      for (const one of item as unknown[]) size += tagSize + type.size(one, sizes);
      continue;
    }
    if (item === undefined) {
      if (label === 'optional') continue;
      throw invalid(`${path} is missing`);
    }
    if (label === 'optional' || !type.isEmpty(item)) size += tagSize + type.size(item, sizes);
  }
  return size;
}

function writeFields(writer: ByteWriter, entries: readonly Entry[], value: object): void {
  for (const { key, field, tag } of entries) {
    const { label, type } = field;
    const item = (value as Record<string, unknown>)[key];
    if (label === 'repeated') {
      for (const one of item as unknown[]) {
        writer.uint32(tag);
        type.write(writer, one);
      }
    } else if (item !== undefined && (label === 'optional' || !type.isEmpty(item))) {
      writer.uint32(tag);
      type.write(writer, item);
    }
  }
}

function readFields(reader: ByteReader, value: Record<string, unknown>, byTag: ReadonlyMap<number, Entry>): void {
  let chosen: Map<string, string> | undefined;
  while (reader.more) {
    const tag = reader.tag();
    const entry = byTag.get(tag);
    if (entry === undefined) {
      reader.skip();
      continue;
    }
    const { key, path, field } = entry;
    const item = field.type.read(reader, path);
    if (field.label === 'repeated') {
      const list = value[key] as unknown[];
      if (list.length >= field.maxItems) throw malformed(path, `more than ${field.maxItems} items`);
      list.push(item);
      continue;
    }
    if (field.oneof !== undefined) {
      chosen ??= new Map();
      const other = chosen.get(field.oneof);
      if (other !== undefined && other !== key) throw malformed(path, `a second choice of ${field.oneof}`);
      chosen.set(field.oneof, key);
    }
    value[key] = item;
  }
}

function fillDefaults(value: Record<string, unknown>, plain: readonly Entry[], name: string): void {
  for (const { key, path, field } of plain) {
    if (value[key] !== undefined) continue;
    const { absent, empty } = field.type;
    if (absent !== undefined) throw malformed(name, `${path}: ${absent}`);
    value[key] = empty;
  }
}

/** Longer ones are left to the native comparison, which costs a call. */
const COMPARED_HERE = 64;

/** True where both hold the same bytes. Not for secrets: it stops at the first difference. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  if (a.length > COMPARED_HERE) return Buffer.compare(a, b) === 0;
  for (let index = 0; index < a.length; index += 1) if (a[index] !== b[index]) return false;
  return true;
}

function printMessage(name: string, entries: readonly Entry[]): string {
  const oneofs = new Map<string, string[]>();
  const lines: string[] = [];
  for (const { key, field } of entries) {
    const snake = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const plain = `${field.type.proto} ${snake} = ${field.number};`;
    if (field.oneof === undefined) {
      lines.push(`  ${field.label === 'single' ? '' : `${field.label} `}${plain}`);
    } else {
      const group = oneofs.get(field.oneof) ?? [];
      group.push(`    ${plain}`);
      oneofs.set(field.oneof, group);
    }
  }
  for (const [oneof, group] of oneofs) lines.push(`  oneof ${oneof} {`, ...group, '  }');
  return [`message ${name} {`, ...lines, '}'].join('\n');
}
