import { type ByteWriter } from './byte-writer.js';
import { Cursor } from './cursor.js';
import { readTable, writeTable } from './field-table.js';
import {
  type ArgumentType,
  METHODS,
  type FieldTable,
  type MethodArguments,
  methodKey,
  type MethodName,
} from './spec.js';

interface Argument {
  readonly name: string;
  readonly type: ArgumentType;
}

interface Layout {
  readonly name: MethodName;
  readonly classId: number;
  readonly methodId: number;
  readonly arguments: readonly Argument[];
}

/** A method with its arguments, as one union, so that a switch on `name` gives the arguments their types. */
export type DecodedMethod = {
  [M in MethodName]: { readonly name: M; readonly arguments: MethodArguments<M> };
}[MethodName];

const BY_NAME = new Map<MethodName, Layout>();
const BY_KEY = new Map<number, Layout>();
for (const [name, [classId, methodId, text]] of Object.entries(METHODS) as [MethodName, [number, number, string]][]) {
  const layout = { name, classId, methodId, arguments: text.split(' ').filter(Boolean).map(parseArgument) };
  BY_NAME.set(name, layout);
  BY_KEY.set(methodKey(classId, methodId), layout);
}

function parseArgument(text: string): Argument {
  const [name = '', type] = text.split(':');
  return { name, type: type as ArgumentType };
}

/** Name of the method with these ids, or undefined when the table has none. */
export function methodName(classId: number, methodId: number): MethodName | undefined {
  return BY_KEY.get(methodKey(classId, methodId))?.name;
}

/**
 * Decodes the payload of a method frame.
 * Returns undefined for unknown ids; throws 502 when the arguments do not fit into the payload.
 */
export function decodeMethod(bytes: Buffer, start: number, end: number): DecodedMethod | undefined {
  const cursor = new Cursor(bytes, start, end);
  const layout = BY_KEY.get(methodKey(cursor.short(), cursor.short()));
  if (layout === undefined) return undefined;
  const values: Record<string, unknown> = {};
  let bits = 0;
  let bitCount = 0;
  for (const { name, type } of layout.arguments) {
    if (type === 'bit') {
      if (bitCount % 8 === 0) bits = cursor.octet();
      values[name] = ((bits >> (bitCount % 8)) & 1) === 1;
      bitCount++;
    } else {
      bitCount = 0;
      values[name] = type === 'table' ? readTable(cursor) : cursor[type]();
    }
  }
  return { name: layout.name, arguments: values } as unknown as DecodedMethod;
}

/** Appends a method (ids and arguments, the payload of a method frame) to the writer. */
export function encodeMethod<M extends MethodName>(writer: ByteWriter, name: M, values: MethodArguments<M>): void {
  const layout = BY_NAME.get(name);
  if (layout === undefined) throw new TypeError(`unknown method ${name}`);
  writer.short(layout.classId);
  writer.short(layout.methodId);
  const record = values as Readonly<Record<string, unknown>>;
  let bits = 0;
  let bitCount = 0;
  for (const { name: argument, type } of layout.arguments) {
    const value = record[argument];
    if (type === 'bit') {
      if (bitCount % 8 === 0) {
        bits = 0;
        writer.octet(0);
      }
      if (value === true) bits |= 1 << (bitCount % 8);
      writer.patch(writer.length - 1, bits);
      bitCount++;
    } else {
      bitCount = 0;
      writeArgument(writer, type, value);
    }
  }
}

function writeArgument(writer: ByteWriter, type: Exclude<ArgumentType, 'bit'>, value: unknown): void {
  if (type === 'table') writeTable(writer, value as FieldTable);
  else if (type === 'shortstr') writer.shortstr(value as string);
  else if (type === 'longstr') writer.longstr(value as Buffer);
  else writer[type](value as number);
}
