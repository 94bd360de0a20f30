import { ByteWriter } from './byte-writer.js';
import { Cursor } from './cursor.js';
import { readTable, skipField, writeTable } from './field-table.js';
import { ReplyError } from './reply-error.js';
import { BASIC_CLASS, BASIC_PROPERTIES, type FieldTable } from './spec.js';

/** Name of a property of class basic. */
export type PropertyName = (typeof BASIC_PROPERTIES)[number][0];

/** Index of each property in the table, which is also its distance from the highest flag bit. */
const INDEX = Object.fromEntries(BASIC_PROPERTIES.map(([name], index) => [name, index])) as Record<
  PropertyName,
  number
>;
const HEADERS = INDEX.headers;
const USED_FLAGS = 0xfffc;
/** Class id, weight, body size and flags. */
const FIXED_LENGTH = 14;
const [UPPER_B, UPPER_C] = [0x42, 0x43];

/**
 * Where the properties of a content header (section 4.2.6.1) are. `scan` checks the whole header without decoding it:
 * its octets are sent on to consumers as they came, so they must be well formed.
 */
export class ContentHeader {
  bodySize = 0;
  /** Whether the headers table has an entry CC or BCC. */
  hasCopies = false;
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;
  #flags = 0;
  readonly #from = new Int32Array(BASIC_PROPERTIES.length);
  readonly #to = new Int32Array(BASIC_PROPERTIES.length);

  /** Reads the payload of a header frame. Throws 502 when it is malformed and 505 when it is not of class basic. */
  scan(bytes: Buffer, start: number, end: number): this {
    const cursor = new Cursor(bytes, start, end);
    this.#bytes = bytes;
    this.#start = start;
    this.hasCopies = false;
    const classId = cursor.short();
    if (classId !== BASIC_CLASS) {
      throw new ReplyError('UNEXPECTED_FRAME', `content header of class ${classId} instead of ${BASIC_CLASS}`);
    }
    cursor.skip(2);
    this.bodySize = cursor.longlong();
    const flags = cursor.short();
    if ((flags & ~USED_FLAGS) !== 0)
      throw new ReplyError('SYNTAX_ERROR', `unknown property flags 0x${flags.toString(16)}`);
    this.#flags = flags;
    let index = 0;
    for (let bits = flags; bits !== 0; bits = (bits << 1) & 0xffff, index++) {
      if ((bits & 0x8000) === 0) continue;
      this.#from[index] = cursor.position;
      this.#skipProperty(cursor, index);
      this.#to[index] = cursor.position;
    }
    if (cursor.position !== end)
      throw new ReplyError('SYNTAX_ERROR', 'content header has octets behind its properties');
    return this;
  }

  #skipProperty(cursor: Cursor, index: number): void {
    const type = BASIC_PROPERTIES[index]?.[1];
    if (type === 'shortstr') cursor.skip(cursor.octet());
    else if (type === 'octet') cursor.skip(1);
    else if (type === 'longlong') cursor.skip(8);
    else this.#skipHeaders(cursor);
  }

  #skipHeaders(cursor: Cursor): void {
    const length = cursor.long();
    const end = cursor.position + length;
    if (end > cursor.end) throw new ReplyError('SYNTAX_ERROR', 'headers reach beyond the end of the content header');
    while (cursor.position < end) {
      const size = cursor.octet();
      const at = cursor.skipText(size);
      if (size <= 3 && this.#isCopyName(at, size)) this.hasCopies = true;
      skipField(cursor);
    }
    if (cursor.position !== end) throw new ReplyError('SYNTAX_ERROR', 'a header reaches beyond the end of the headers');
  }

  #isCopyName(at: number, size: number): boolean {
    const first = this.#bytes[at];
    if (size === 2) return first === UPPER_C && this.#bytes[at + 1] === UPPER_C;
    return size === 3 && first === UPPER_B && this.#bytes[at + 1] === UPPER_C && this.#bytes[at + 2] === UPPER_C;
  }

  has(name: PropertyName): boolean {
    return (this.#flags & (0x8000 >> INDEX[name])) !== 0;
  }

  /** A short string property, or undefined. Valid only until the bytes scanned are reused. */
  text(name: PropertyName): string | undefined {
    if (!this.has(name)) return undefined;
    const index = INDEX[name];
    return this.#bytes.toString('utf8', (this.#from[index] ?? 0) + 1, this.#to[index]);
  }

  /** An octet property (delivery mode, priority), or undefined. */
  octet(name: PropertyName): number | undefined {
    return this.has(name) ? this.#bytes[this.#from[INDEX[name]] ?? 0] : undefined;
  }

  /** The decoded headers; an empty table when there are none. */
  headers(): FieldTable {
    if (!this.has('headers')) return new Map();
    return readTable(new Cursor(this.#bytes, this.#from[HEADERS] ?? 0, this.#to[HEADERS] ?? 0));
  }

  /** The same header with some properties replaced (by their encoded octets) or, given null, left out. */
  rewrite(changes: ReadonlyMap<PropertyName, Buffer | null>): Buffer {
    const writer = new ByteWriter(this.#bytes.length);
    writer.raw(this.#bytes.subarray(this.#start, this.#start + FIXED_LENGTH));
    let flags = 0;
    BASIC_PROPERTIES.forEach(([name], index) => {
      const change = changes.get(name);
      if (change === null || (change === undefined && !this.has(name))) return;
      flags |= 0x8000 >> index;
      writer.raw(change ?? this.#bytes.subarray(this.#from[index], this.#to[index]));
    });
    const header = writer.toBuffer();
    header.writeUInt16BE(flags, FIXED_LENGTH - 2);
    return header;
  }
}

/** Octets of a short string property for `rewrite`. */
export function encodeText(value: string): Buffer {
  const writer = new ByteWriter(value.length + 1);
  writer.shortstr(value);
  return writer.toBuffer();
}

/** Octets of the headers property for `rewrite`; null, which leaves the property out, for an empty table. */
export function encodeHeaders(table: FieldTable): Buffer | null {
  if (table.size === 0) return null;
  const writer = new ByteWriter();
  writeTable(writer, table);
  return writer.toBuffer();
}
