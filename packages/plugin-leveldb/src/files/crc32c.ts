const POLYNOMIAL = 0x82f63b78;
const MASK_DELTA = 0xa282ead8;

/** Eight tables of 256 entries for slicing by eight. */
const tables: readonly Uint32Array[] = makeTables();

function makeTables(): Uint32Array[] {
  const first = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte += 1) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    first[byte] = crc >>> 0;
  }
  const made = [first];
  for (let index = 1; index < 8; index += 1) {
    const previous = made[index - 1] ?? first;
    made.push(previous.map((crc) => ((first[crc & 0xff] ?? 0) ^ (crc >>> 8)) >>> 0));
  }
  return made;
}

/** CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes`; `seed` continues an earlier one. */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
    Uint32Array,
  ];
  // Typed arrays of 256 entries indexed by a byte: never out of range, and this loop sees every byte of the store.
  /* eslint-disable @typescript-eslint/no-non-null-assertion */
  let crc = ~seed;
  let at = 0;
  const end = bytes.length - 7;
  for (; at < end; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      t7[crc & 0xff]! ^
      t6[(crc >>> 8) & 0xff]! ^
      t5[(crc >>> 16) & 0xff]! ^
      t4[crc >>> 24]! ^
      t3[bytes[at + 4]!]! ^
      t2[bytes[at + 5]!]! ^
      t1[bytes[at + 6]!]! ^
      t0[bytes[at + 7]!]!;
  }
  for (; at < bytes.length; at += 1) crc = t0[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  /* eslint-enable @typescript-eslint/no-non-null-assertion */
  return ~crc >>> 0;
}

/** The form in which LevelDB stores a CRC, so that a CRC over stored CRCs is not weak (leveldb util/crc32c.h). */
export function maskCrc32c(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + MASK_DELTA) >>> 0;
}

/** The stored form of the CRC over all parts, one after the other. */
export function maskedCrc32c(...parts: readonly Uint8Array[]): number {
  let crc = 0;
  for (const part of parts) crc = crc32c(part, crc);
  return maskCrc32c(crc);
}
