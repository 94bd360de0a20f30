import { BinaryReader } from '@bufbuild/protobuf/wire';

// The mark at the start of a text is part of it: what is encoded must be given back.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Texts up to this length are looked through for ASCII before a decoder is troubled. */
const SHORT_TEXT = 64;

/**
 * Reads protobuf's wire format from bytes that nobody vouches for: each method throws an Error, and reads nothing behind
 * `end`. What is read as bytes is a view.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #tagAt = 0;
  /** Where the message that is being read ends. */
  end: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.end = bytes.length;
  }

  /** True while fields are left. */
  get more(): boolean {
    return this.#at < this.end;
  }

  /** Field number and wire type as one number: number * 8 + type. */
  tag(): number {
    this.#tagAt = this.#at;
    const tag = this.uint32();
    const read = this.#at - this.#tagAt;
    if (read > 5 || (read === 5 && (this.#bytes[this.#at - 1] ?? 0) > 0x0f)) throw new Error('a tag above 32 bits');
    if (tag < 8 || (tag & 7) > 5) throw new Error(`a tag of ${tag}`);
    return tag;
  }

  /** Skips the field whose tag was read last. */
  skip(): void {
    const rest = new BinaryReader(this.#bytes.subarray(this.#tagAt, this.end));
    const [number, wire] = rest.tag();
    rest.skip(wire, number);
    this.#at = this.#tagAt + rest.pos;
  }

  /** A varint, of which the lower 32 bits count. */
  uint32(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.#at++] ?? 0;
    let value = byte & 0x7f;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (shift > 63) throw new Error('a varint of more than 10 bytes');
      byte = bytes[this.#at++] ?? 0;
      if (shift < 32) value |= (byte & 0x7f) << shift;
    }
    if (this.#at > this.end) throw new RangeError('premature end');
    return value >>> 0;
  }

  /** A varint of 64 bits; above 2^53-1 a number that is not safe. */
  uint64(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.#at++] ?? 0;
    let low = byte & 0x7f;
    let high = 0;
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (shift > 63) throw new Error('a varint of more than 10 bytes');
      byte = bytes[this.#at++] ?? 0;
      const bits = byte & 0x7f;
      if (shift < 32) low |= bits << shift;
      // The fifth byte has bits of both halves; what is beyond the 64th is dropped.
      if (shift === 28) high = bits >>> 4;
      else if (shift > 28) high |= bits << (shift - 32);
    }
    if (this.#at > this.end) throw new RangeError('premature end');
    return (high >>> 0) * 0x100000000 + (low >>> 0);
  }

  /** Length and bytes, as a view. */
  lengthDelimited(): Uint8Array {
    const start = this.#enter();
    this.#at = start.to;
    return this.#bytes.subarray(start.from, start.to);
  }

  /** Length and UTF-8. Throws where it is not. */
  text(): string {
    const { from, to } = this.#enter();
    this.#at = to;
    if (to - from <= SHORT_TEXT) {
      let text = '';
      let index = from;
      for (; index < to; index += 1) {
        const code = this.#bytes[index] ?? 0;
        if (code >= 0x80) break;
        text += String.fromCharCode(code);
      }
      if (index === to) return text;
    }
    return decoder.decode(this.#bytes.subarray(from, to));
  }

  /** Length and a message, which is read to its end. */
  nested<T>(content: { read(reader: ByteReader): T }): T {
    const { end } = this;
    const { to } = this.#enter();
    this.end = to;
    const value = content.read(this);
    this.end = end;
    return value;
  }

  #enter(): { from: number; to: number } {
    const length = this.uint32();
    const from = this.#at;
    const to = from + length;
    if (to > this.end) throw new RangeError('premature end');
    return { from, to };
  }
}
