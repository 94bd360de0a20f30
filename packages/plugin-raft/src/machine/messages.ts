import {
  Block,
  Certificate,
  bool,
  bytes,
  choice,
  fromHex,
  message,
  nested,
  optional,
  toHex,
  uint32,
  uint64,
  type Infer,
} from '@it-chain/contracts';
import type { RaftMessage, RaftRecord } from './interface.js';

/** The kind under which messages go to peers. */
export const RAFT_KIND = 'raft';

const KINDS = [
  'none',
  'append',
  'ack',
  'refuse',
  'pre-vote',
  'pre-vote-answer',
  'vote',
  'vote-answer',
  'decided',
  'status',
] as const;

/** Every message, as it crosses to a peer; which fields it has, its kind says. */
const Envelope = message('RaftEnvelope', {
  kind: choice(1, 'RaftKind', KINDS),
  /** Digest of the genesis, 32 bytes. */
  network: bytes(2, { length: 32 }),
  height: uint64(3),
  round: uint32(4),
  digest: bytes(5, { maxLength: 32 }),
  block: optional(nested(6, Block)),
  signature: bytes(7, { maxLength: 64 }),
  /** Round of the block the sender accepted, plus 1; 0 for none. */
  accepted: uint32(8),
  promised: uint32(9),
  granted: bool(10),
  certificate: optional(nested(11, Certificate)),
});
type Envelope = Infer<typeof Envelope>;

const EMPTY = {
  height: 0,
  round: 0,
  digest: new Uint8Array(0),
  signature: new Uint8Array(0),
  accepted: 0,
  promised: 0,
  granted: false,
};
const bytesOf = (digest: string): Uint8Array => fromHex(digest, 32) ?? new Uint8Array(0);

/** The bytes of a message on a network. */
export function encodeMessage(content: RaftMessage, network: Uint8Array): Uint8Array {
  return Envelope.encode({ ...EMPTY, kind: content.kind, network, ...fieldsOf(content) });
}

function fieldsOf(content: RaftMessage): Partial<Envelope> {
  switch (content.kind) {
    case 'append':
    case 'ack':
      return { ...content, digest: bytesOf(content.digest) };
    case 'pre-vote':
    case 'vote':
      return { ...content, accepted: content.accepted + 1 };
    case 'refuse':
    case 'pre-vote-answer':
    case 'vote-answer':
    case 'decided':
    case 'status':
      return content;
  }
}

/** Reads a message; undefined for one of another network. @throws ERR_DATA_MALFORMED */
export function decodeMessage(body: Uint8Array, network: string): RaftMessage | undefined {
  const read = Envelope.decode(body);
  if (toHex(read.network) !== network) return undefined;
  const { kind, height, round, promised, granted, signature, block, certificate } = read;
  const digest = toHex(read.digest);
  switch (kind) {
    case 'append':
      return block === undefined ? undefined : { kind, height, round, digest, block };
    case 'ack':
      return { kind, height, round, digest, signature };
    case 'refuse':
      return { kind, height, round };
    case 'pre-vote':
    case 'vote':
      return { kind, height, round, accepted: read.accepted - 1 };
    case 'pre-vote-answer':
      return { kind, height, round, promised, granted };
    case 'vote-answer':
      return { kind, height, round, granted };
    case 'decided':
      return certificate === undefined ? undefined : { kind, certificate };
    case 'status':
      return { kind, height };
    case 'none':
      return undefined;
  }
}

/** A record of the log, as it is stored. */
const StoredRecord = message('RaftRecord', {
  kind: choice(1, 'RaftRecordKind', ['none', 'vote', 'accept']),
  height: uint64(2),
  round: uint32(3),
  /** Public key of whom a vote is for. */
  candidate: bytes(4, { maxLength: 32 }),
  digest: bytes(5, { maxLength: 32 }),
  block: optional(nested(6, Block)),
});

/** The bytes of a record. */
export function encodeRecord(record: RaftRecord): Uint8Array {
  const { kind, height, round } = record;
  const none = new Uint8Array(0);
  return record.kind === 'vote'
    ? StoredRecord.encode({ kind, height, round, candidate: bytesOf(record.candidate), digest: none })
    : StoredRecord.encode({
        kind,
        height,
        round,
        candidate: none,
        digest: bytesOf(record.digest),
        block: record.block,
      });
}

/** Reads a record; undefined for what is none. @throws ERR_DATA_MALFORMED */
export function decodeRecord(stored: Uint8Array): RaftRecord | undefined {
  const { kind, height, round, candidate, digest, block } = StoredRecord.decode(stored);
  if (kind === 'vote') return { kind, height, round, candidate: toHex(candidate) };
  if (kind === 'accept' && block !== undefined) return { kind, height, round, digest: toHex(digest), block };
  return undefined;
}
