const encoder = new TextEncoder();

/** Bytes that an unsigned 32-bit number takes as a varint. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  return value < 0x10000000 ? 4 : 5;
}

/** Bytes that an integer from 0 to 2^53-1 takes as a varint. */
export function largeVarintSize(value: number): number {
  if (value <= 0xffffffff) return varintSize(value);
  let size = 5;
  for (let rest = Math.floor(value / 2 ** 35); rest > 0; rest = Math.floor(rest / 128)) size += 1;
  return size;
}

/** Buffers above 64 bytes are costly to make one by one: shorter messages than this share slabs. */
const MAX_SHARED = 2_048;
const SLAB = 16_384;
let slab = new ArrayBuffer(SLAB);
let slabUsed = 0;

/** Bytes to be filled completely. */
export function allocate(size: number): Uint8Array {
  if (size <= 64 || size > MAX_SHARED) return new Uint8Array(size);
  if (slabUsed + size > SLAB) {
    slab = new ArrayBuffer(SLAB);
    slabUsed = 0;
  }
  const bytes = new Uint8Array(slab, slabUsed, size);
  slabUsed += size;
  return bytes;
}

/**
 * Writes protobuf's wire format into a buffer of exactly the right size. The sizes of nested messages were found before,
 * and are handed over in the order in which their lengths are written.
 */
export class ByteWriter {
  readonly bytes: Uint8Array;
  readonly #sizes: readonly number[];
  #nextSize = 0;
  #at = 0;

  constructor(bytes: Uint8Array, sizes: readonly number[]) {
    this.bytes = bytes;
    this.#sizes = sizes;
  }

  /** Bytes that were written. */
  get length(): number {
    return this.#at;
  }

  /** The length of the next nested message. */
  nextSize(): number {
    const size = this.#sizes[this.#nextSize];
    this.#nextSize += 1;
    return size ?? 0;
  }

  /** A varint of an unsigned 32-bit number. */
  uint32(value: number): void {
    const { bytes } = this;
    let rest = value;
    while (rest > 0x7f) {
      bytes[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[this.#at++] = rest;
  }

  /** A varint of an integer from 0 to 2^53-1. */
  uint64(value: number): void {
    let rest = value;
    while (rest > 0xffffffff) {
      this.bytes[this.#at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.uint32(rest);
  }

  /** Length and bytes. */
  lengthDelimited(value: Uint8Array): void {
    const { length } = value;
    this.uint32(length);
    this.bytes.set(value, this.#at);
    this.#at += length;
  }

  /** Length and UTF-8 of a text, whose length in UTF-8 the caller knows. */
  text(value: string, length: number): void {
    const { bytes } = this;
    this.uint32(length);
    if (length === value.length) {
      // As many bytes as characters: it is ASCII.
      for (let index = 0; index < length; index += 1) bytes[this.#at + index] = value.charCodeAt(index);
    } else {
      encoder.encodeInto(value, bytes.subarray(this.#at));
    }
    this.#at += length;
  }
}
