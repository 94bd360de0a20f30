/** Reads LevelDB's little-endian integers and variable-length ones. Every method throws a RangeError past the end. */
export class ByteReader {
  readonly #view: Buffer;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#view.length - this.at;
  }

  byte(): number {
    return this.#take(1)[0] ?? 0;
  }

  /** A base-128 number, below 2^53. */
  varint(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 56; scale *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw new RangeError('a number is too long');
  }

  /** Bytes behind their length. */
  slice(): Uint8Array {
    return this.#take(this.varint());
  }

  skip(length: number): void {
    this.#take(length);
  }

  take(length: number): Uint8Array {
    return this.#take(length);
  }

  #take(length: number): Uint8Array {
    if (length > this.left) throw new RangeError(`${length} bytes wanted, ${this.left} left`);
    this.at += length;
    return this.#view.subarray(this.at - length, this.at);
  }
}
