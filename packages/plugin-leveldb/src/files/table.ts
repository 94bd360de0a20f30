import { ByteReader } from './byte-reader.js';
import { maskedCrc32c } from './crc32c.js';

const FOOTER = 48;
const TRAILER = 5;
const MAGIC = Buffer.from('57fb808b247547db', 'hex');

interface Handle {
  readonly offset: number;
  readonly size: number;
}

/**
 * Checks the CRC of every block of a table file (doc/table_format.md of LevelDB), also of its index and its filter: a
 * damaged filter makes keys look absent. classic-level offers no way to make LevelDB do it.
 * @returns what is wrong, or undefined
 */
export function checkTable(file: Uint8Array): string | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.length < FOOTER) return 'it is too short';
  const footer = bytes.subarray(bytes.length - FOOTER);
  if (!footer.subarray(FOOTER - 8).equals(MAGIC)) return 'its magic number is wrong';
  try {
    const reader = new ByteReader(footer);
    const metaIndex = readHandle(reader);
    const index = readHandle(reader);
    let expected = 0;
    for (const handle of handlesIn(blockOf(bytes, index))) {
      // Data blocks lie one behind the other from the start of the file: a gap is a damaged index.
      if (handle.offset !== expected) return `the block at ${expected} is in no index`;
      blockOf(bytes, handle);
      expected = handle.offset + handle.size + TRAILER;
    }
    for (const handle of handlesIn(blockOf(bytes, metaIndex))) blockOf(bytes, handle);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function readHandle(reader: ByteReader): Handle {
  return { offset: reader.varint(), size: reader.varint() };
}

function blockOf(bytes: Buffer, { offset, size }: Handle): Uint8Array {
  const end = offset + size;
  if (end + TRAILER > bytes.length) throw new RangeError(`a block of ${size} bytes at ${offset} lies outside`);
  if (bytes.readUInt32LE(end + 1) !== maskedCrc32c(bytes.subarray(offset, end + 1))) {
    throw new RangeError(`the block at ${offset} does not match its checksum`);
  }
  if (bytes[end] !== 0) throw new RangeError(`the block at ${offset} is compressed`);
  return bytes.subarray(offset, end);
}

/** The values of an index block, which are handles. */
function handlesIn(block: Uint8Array): Handle[] {
  const restarts = Buffer.from(block.buffer, block.byteOffset, block.byteLength).readUInt32LE(block.length - 4);
  const reader = new ByteReader(block.subarray(0, block.length - 4 - restarts * 4));
  const handles: Handle[] = [];
  while (reader.left > 0) {
    reader.varint();
    const unshared = reader.varint();
    const length = reader.varint();
    reader.skip(unshared);
    handles.push(readHandle(new ByteReader(reader.take(length))));
  }
  return handles;
}
