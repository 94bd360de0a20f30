import { failure, sha256, VOTE_TYPES, type VoteContent } from '@it-chain/contracts';

/** The first bytes of a guard file: its form and version. */
export const GUARD_HEADER: Uint8Array = Buffer.from('it-chain votes 1\n', 'ascii');

/** Bytes of one record: network 32, type 1, height 8, round 4, digest 32, checksum 8. */
export const RECORD_BYTES = 85;
const CHECKED_BYTES = RECORD_BYTES - 8;

/** A vote that was signed, and for which network (32 bytes). */
export interface SignedVote {
  readonly network: Uint8Array;
  readonly vote: VoteContent;
}

/** Writes one record; numbers are big-endian, the checksum is the first 8 bytes of the SHA-256 of what is before it. */
export function encodeVote({ network, vote }: SignedVote): Uint8Array {
  const record = Buffer.alloc(RECORD_BYTES);
  record.set(network, 0);
  record.writeUInt8(VOTE_TYPES.indexOf(vote.type), 32);
  record.writeBigUInt64BE(BigInt(vote.height), 33);
  record.writeUInt32BE(vote.round, 41);
  record.set(vote.digest, 45);
  record.set(checksum(record), CHECKED_BYTES);
  return record;
}

/** What a guard file holds. */
export interface GuardContent {
  readonly votes: readonly SignedVote[];
  /** Bytes up to the end of the last whole record; what follows is a torn write. */
  readonly goodBytes: number;
  /** Records whose checksum is wrong, by index. Not empty means damage that no crash explains. */
  readonly damaged: readonly number[];
}

/**
 * Reads a guard file. A crash can only leave the last record short, or with its end not yet written (zeros): that is a
 * torn tail, whose signature was never given out. Any other wrong record is damage.
 * @throws ERR_IDENTITY_GUARD_DAMAGED for a file that is no guard at all
 */
export function decodeGuard(bytes: Uint8Array): GuardContent {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = file.subarray(0, GUARD_HEADER.length);
  if (header.length < GUARD_HEADER.length && isTornHeader(header)) return { votes: [], goodBytes: 0, damaged: [] };
  if (!header.equals(GUARD_HEADER)) {
    throw failure('ERR_IDENTITY_GUARD_DAMAGED', 'the file of signed votes does not begin as one');
  }
  const votes: SignedVote[] = [];
  const damaged: number[] = [];
  let at = GUARD_HEADER.length;
  for (let index = 0; at + RECORD_BYTES <= file.length; index += 1, at += RECORD_BYTES) {
    const record = file.subarray(at, at + RECORD_BYTES);
    const vote = decodeVote(record);
    if (vote !== undefined) votes.push(vote);
    else if (at + 2 * RECORD_BYTES > file.length && isTorn(record)) break;
    else damaged.push(index);
  }
  return { votes, goodBytes: at, damaged };
}

function decodeVote(record: Buffer): SignedVote | undefined {
  if (!checksum(record).equals(record.subarray(CHECKED_BYTES))) return undefined;
  const type = VOTE_TYPES[record.readUInt8(32)];
  const height = Number(record.readBigUInt64BE(33));
  if (type === undefined || !Number.isSafeInteger(height)) return undefined;
  const vote = { type, height, round: record.readUInt32BE(41), digest: Uint8Array.from(record.subarray(45, 77)) };
  return { network: Uint8Array.from(record.subarray(0, 32)), vote };
}

function checksum(record: Buffer): Buffer {
  return Buffer.from(sha256(record.subarray(0, CHECKED_BYTES)).subarray(0, 8));
}

function isTorn(record: Buffer): boolean {
  return record.subarray(CHECKED_BYTES).every((byte) => byte === 0);
}

function isTornHeader(header: Buffer): boolean {
  return header.equals(Buffer.from(GUARD_HEADER.subarray(0, header.length)));
}
