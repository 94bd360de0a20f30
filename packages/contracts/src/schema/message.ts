import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { isItChainError, messageOf } from '../errors/it-chain-error.js';
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
  readonly _type?: T;
}

/** The TypeScript type of a message definition. */
export type Infer<M> = M extends Message<infer T> ? T : never;

interface Entry {
  readonly key: string;
  readonly path: string;
  readonly field: Field<unknown>;
}

/**
 * Defines a message. The fields are written in the order of their numbers, whatever the order here.
 * @throws TypeError for two fields of one number.
 */
export function message<F extends Fields>(name: string, fields: F): Message<MessageOf<F>> {
  const entries: Entry[] = Object.entries(fields)
    .map(([key, field]) => ({ key, path: `${name}.${key}`, field }))
    .sort((a, b) => a.field.number - b.field.number);
  const byNumber = new Map(entries.map((entry) => [entry.field.number, entry]));
  if (byNumber.size !== entries.length) throw new TypeError(`${name} has two fields of one number`);

  const codec: Message<MessageOf<F>> = {
    name,
    fields,
    uses: entries.flatMap(({ field }) => field.type.uses ?? []),
    encode: (value) => {
      const writer = new BinaryWriter();
      try {
        writeFields(writer, entries, value);
      } catch (error) {
        if (isItChainError(error)) throw error;
        throw invalid(`${name}: ${messageOf(error)}`);
      }
      return writer.finish();
    },
    decode: (bytes) =>
      guarded(name, () => readFields(new BinaryReader(bytes), bytes.length, entries, byNumber, name)) as MessageOf<F>,
    decodeCanonical: (bytes) => {
      const value = codec.decode(bytes);
      if (!sameBytes(codec.encode(value), bytes)) throw malformed(name, 'not in canonical form');
      return value;
    },
    print: () => printMessage(name, entries),
  };
  return codec;
}

/** A field that holds another message. */
export function nested<T>(number: number, of: Message<T>): Field<T, false> {
  const type: FieldType<T> = {
    proto: of.name,
    wire: WireType.LengthDelimited,
    // Absent is not the same as empty for a message: a plain field is always written.
    empty: undefined as T,
    isEmpty: () => false,
    write: (writer, value) => {
      writer.bytes(of.encode(value));
    },
    read: (reader) => of.decode(reader.bytes()),
    uses: [of],
  };
  return { number, type: type as FieldType<unknown>, label: 'single', maxItems: 0 };
}

function writeFields(writer: BinaryWriter, entries: readonly Entry[], value: object): void {
  const chosen = new Map<string, string>();
  for (const { key, path, field } of entries) {
    const item = (value as Record<string, unknown>)[key];
    if (field.label === 'repeated') {
      writeList(writer, path, field, item);
      continue;
    }
    if (item === undefined) {
      if (field.label === 'optional') continue;
      throw invalid(`${path} is missing`);
    }
    if (field.oneof !== undefined) {
      const other = chosen.get(field.oneof);
      if (other !== undefined) throw invalid(`${path} and ${other} exclude each other`);
      chosen.set(field.oneof, path);
    }
    if (field.label === 'single' && field.type.isEmpty(item)) continue;
    writer.tag(field.number, field.type.wire);
    field.type.write(writer, item);
  }
}

function writeList(writer: BinaryWriter, path: string, field: Field<unknown>, item: unknown): void {
  if (!Array.isArray(item)) throw invalid(`${path} is not a list`);
  if (item.length > field.maxItems) throw invalid(`${path} has more than ${field.maxItems} items`);
  for (const one of item as unknown[]) {
    writer.tag(field.number, field.type.wire);
    field.type.write(writer, one);
  }
}

function readFields(
  reader: BinaryReader,
  end: number,
  entries: readonly Entry[],
  byNumber: ReadonlyMap<number, Entry>,
  name: string,
): object {
  const value: Record<string, unknown> = {};
  const chosen = new Set<string>();
  for (const { key, field } of entries) if (field.label === 'repeated') value[key] = [];
  while (reader.pos < end) {
    const [number, wire] = reader.tag();
    const entry = byNumber.get(number);
    if (entry?.field.type.wire !== wire) {
      reader.skip(wire, number);
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
    if (field.oneof !== undefined && value[key] === undefined) {
      if (chosen.has(field.oneof)) throw malformed(path, `a second choice of ${field.oneof}`);
      chosen.add(field.oneof);
    }
    value[key] = item;
  }
  fillDefaults(value, entries, name);
  return value;
}

function fillDefaults(value: Record<string, unknown>, entries: readonly Entry[], name: string): void {
  for (const { key, path, field } of entries) {
    if (field.label !== 'single' || value[key] !== undefined) continue;
    const { type } = field;
    if (type.empty === undefined) throw malformed(name, `${path} is missing`);
    // A field of fixed length has no default: absent means that the sender left it out.
    if (type.proto === 'bytes') checkLength(type, path);
    value[key] = type.empty;
  }
}

function checkLength(type: FieldType<unknown>, path: string): void {
  type.read(new BinaryReader(new Uint8Array([0])), path);
}

function guarded<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (isItChainError(error)) throw error;
    throw malformed(name, messageOf(error));
  }
}

/** True where both hold the same bytes. Not for secrets: it stops at the first difference. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
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
