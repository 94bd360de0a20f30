import { crc32c, maskCrc32c, maskedCrc32c } from './crc32c.js';

const BLOCK = 32_768;
const HEADER = 7;
const FULL = 1;
const MIDDLE = 3;
const LAST = 4;

/** One record of a log and where it ends in the file. */
export interface LogRecord {
  readonly data: Uint8Array;
  /** Offset of the first byte behind it. */
  readonly end: number;
}

/** What was read of a log file. */
export interface RecordLog {
  /** The records in front of the first fault. */
  readonly records: readonly LogRecord[];
  /** What is wrong and where; absent where the log is sound, also when its last record was cut by a crash. */
  readonly fault?: { readonly offset: number; readonly what: string } | undefined;
}

/**
 * Reads a file of LevelDB's log format (doc/log_format.md of LevelDB): the write-ahead log and the MANIFEST. LevelDB
 * itself skips a damaged record and the rest of its block in silence; this reader says so.
 */
export function readRecordLog(file: Uint8Array): RecordLog {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const records: LogRecord[] = [];
  let parts: Uint8Array[] = [];
  let at = 0;
  while (at + HEADER <= bytes.length) {
    const room = BLOCK - (at % BLOCK);
    if (room < HEADER) {
      at += room;
      continue;
    }
    const length = bytes.readUInt16LE(at + 4);
    const type = bytes[at + 6] ?? 0;
    const end = at + HEADER + length;
    if (type === 0 && length === 0) {
      // Space that was allocated ahead and never written: nothing may follow it.
      const rest = bytes.subarray(at);
      if (rest.every((byte) => byte === 0)) return { records };
      return { records, fault: { offset: at, what: 'zeros in front of other bytes' } };
    }
    if (HEADER + length > room) return { records, fault: { offset: at, what: 'a record longer than its block' } };
    if (end > bytes.length) {
      return hidesRecord(bytes, at)
        ? { records, fault: { offset: at, what: 'a record whose length is damaged' } }
        : { records };
    }
    const data = bytes.subarray(at + HEADER, end);
    if (bytes.readUInt32LE(at) !== maskedCrc32c(bytes.subarray(at + 6, at + 7), data)) {
      return { records, fault: { offset: at, what: 'a record that does not match its checksum' } };
    }
    const continues = type === MIDDLE || type === LAST;
    if (type < FULL || type > LAST || continues !== parts.length > 0) {
      return { records, fault: { offset: at, what: `a fragment of type ${type} out of place` } };
    }
    parts.push(data);
    if (type === FULL || type === LAST) {
      records.push({ data: parts.length === 1 ? data : Buffer.concat(parts), end });
      parts = [];
    }
    at = end;
  }
  return { records };
}

/**
 * A record that ends behind the file was cut by a crash, or its length is damaged and hides what follows. In the second
 * case its checksum matches at some shorter length.
 */
function hidesRecord(bytes: Buffer, at: number): boolean {
  const expected = bytes.readUInt32LE(at);
  let crc = crc32c(bytes.subarray(at + 6, at + 7));
  for (let end = at + HEADER; ; end += 1) {
    if (maskCrc32c(crc) === expected) return true;
    if (end >= bytes.length) return false;
    crc = crc32c(bytes.subarray(end, end + 1), crc);
  }
}
