/** Writes wire types into a buffer that grows as needed; used for methods and tables, not for message bodies. */
export class ByteWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(initialSize = 512) {
    this.#bytes = Buffer.allocUnsafe(initialSize);
  }

  /** Octets written so far. */
  get length(): number {
    return this.#length;
  }

  #reserve(size: number): number {
    const at = this.#length;
    const needed = at + size;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    this.#length = needed;
    return at;
  }

  octet(value: number): void {
    const at = this.#reserve(1);
    this.#bytes[at] = value;
  }

  short(value: number): void {
    const at = this.#reserve(2);
    this.#bytes.writeUInt16BE(value, at);
  }

  long(value: number): void {
    const at = this.#reserve(4);
    this.#bytes.writeUInt32BE(value, at);
  }

  /** An unsigned 64 bit integer given as a safe integer. */
  longlong(value: number): void {
    const at = this.#reserve(8);
    this.#bytes.writeUInt32BE(Math.floor(value / 0x100000000), at);
    this.#bytes.writeUInt32BE(value >>> 0, at + 4);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** A short string; the caller has made sure that it is at most 255 octets long. */
  shortstr(value: string): void {
    const length = Buffer.byteLength(value);
    if (length > 255) throw new RangeError(`short string of ${length} octets; at most 255 fit`);
    this.octet(length);
    const at = this.#reserve(length);
    this.#bytes.write(value, at, 'utf8');
  }

  longstr(value: string | Uint8Array): void {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    this.long(bytes.length);
    this.raw(bytes);
  }

  /** Writes `size` later: returns the position of a four octet length, to be filled by `endLength`. */
  beginLength(): number {
    return this.#reserve(4);
  }

  /** Fills the length begun at `at` with the number of octets written since. */
  endLength(at: number): void {
    this.#bytes.writeUInt32BE(this.#length - at - 4, at);
  }

  /** Sets one octet that was already written (bit groups). */
  patch(at: number, value: number): void {
    this.#bytes[at] = value;
  }

  /** A copy of everything written. */
  toBuffer(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }

  /** What was written, without a copy; valid until the next write or reset. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  reset(): void {
    this.#length = 0;
  }
}
