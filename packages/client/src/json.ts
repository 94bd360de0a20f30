import {
  Block,
  BlockHeader,
  Certificate,
  decodeTransaction,
  nodeIdOf,
  toHex,
  type BlockReply,
  type LeaderReply,
  type PeerReply,
  type StatusReply,
  type TransactionStatus,
  type ValidatorSet,
  type ValidatorsReply,
} from '@it-chain/contracts';
import type { KvRange, KvValue } from './kv.js';

// The shapes below are what scripts read: keys may be added, never renamed.

const hexOrNull = (bytes: Uint8Array): string | null => (bytes.length === 0 ? null : toHex(bytes));
const textOrNull = (text: string): string | null => (text === '' ? null : text);

/** `it-chain status --json`. */
export interface StatusJson {
  nodeId: string;
  name: string;
  /** null before founding; then `candidate` is set. */
  network: string | null;
  candidate: string | null;
  height: number;
  digest: string | null;
  leader: string | null;
  round: number;
  role: StatusReply['role'];
  validators: number;
  peers: number;
  pool: { count: number; bytes: number; maxCount: number; maxBytes: number };
  plugins: { name: string; role: string; version: string; state: string; reason: string | null }[];
  waiting: string | null;
  publicKey: string;
  peerAddress: string | null;
  stateRoot: string | null;
  window: number;
  version: string;
  startedAt: number;
  insecure: boolean;
}

/** A status as `it-chain status --json` prints it: bytes in hex, absent values as null. */
export function statusJson(reply: StatusReply): StatusJson {
  return {
    nodeId: reply.nodeId,
    name: reply.name,
    network: hexOrNull(reply.network),
    candidate: hexOrNull(reply.candidate),
    height: reply.height,
    digest: hexOrNull(reply.digest),
    leader: textOrNull(reply.leader),
    round: reply.round,
    role: reply.role,
    validators: reply.validators,
    peers: reply.peers,
    pool: { ...reply.pool },
    plugins: reply.plugins.map((plugin) => ({ ...plugin, reason: textOrNull(plugin.reason) })),
    waiting: textOrNull(reply.waiting),
    publicKey: toHex(reply.publicKey),
    peerAddress: textOrNull(reply.peerAddress),
    stateRoot: hexOrNull(reply.stateRoot),
    window: reply.window,
    version: reply.version,
    startedAt: reply.startedAt,
    insecure: reply.insecure,
  };
}

/** A row of `it-chain peers --json`. */
export interface PeerJson {
  nodeId: string;
  name: string;
  address: string | null;
  self: boolean;
  connected: boolean;
  direction: string;
  since: number;
  role: PeerReply['role'];
  publicKey: string;
}

/** A row of `it-chain peers --json`. */
export function peerJson(peer: PeerReply): PeerJson {
  const { nodeId, name, address, self, connected, direction, since, role, publicKey } = peer;
  return {
    nodeId,
    name,
    address: textOrNull(address),
    self,
    connected,
    direction,
    since,
    role,
    publicKey: toHex(publicKey),
  };
}

/** `it-chain leader --json`. */
export interface LeaderJson {
  leader: string | null;
  height: number;
  round: number;
}

/** The leader as `it-chain leader --json` prints it; null where there is none. */
export function leaderJson({ leader, height, round }: LeaderReply): LeaderJson {
  return { leader: textOrNull(leader), height, round };
}

/** `it-chain validators --json`: node ids in the order of joining; `members` adds their keys. */
export interface ValidatorsJson {
  height: number;
  validators: string[];
  quorum: number;
  members: { nodeId: string; publicKey: string; sequence: number }[];
}

/** A validator set as JSON: keys in hex, node ids beside them. */
export function validatorsJson({ height, validators, quorum }: ValidatorsReply): ValidatorsJson {
  const members = validators.validators.map(({ publicKey, sequence }) => ({
    nodeId: nodeIdOf(publicKey),
    publicKey: toHex(publicKey),
    sequence,
  }));
  return { height, validators: members.map(({ nodeId }) => nodeId), quorum, members };
}

/** `it-chain tx get --json`. */
export interface TransactionJson {
  id: string;
  status: TransactionStatus['status'];
  reason: string | null;
  height: number | null;
  index: number | null;
  /** The application's answer once committed: code 0 = done, `output` in hex. */
  result: { code: number; message: string | null; output: string } | null;
  /** Code of a rejection. */
  code: string | null;
  hint: string | null;
}

/** A transaction status as `it-chain tx get --json` prints it. */
export function transactionJson(status: TransactionStatus): TransactionJson {
  const { id, receipt, height, index, reason, code, hint } = status;
  return {
    id: toHex(id),
    status: status.status,
    reason: textOrNull(reason),
    height: height ?? null,
    index: index ?? null,
    result:
      receipt === undefined
        ? null
        : { code: receipt.code, message: textOrNull(receipt.message), output: toHex(receipt.output) },
    code: textOrNull(code),
    hint: textOrNull(hint),
  };
}

/** `it-chain block get --json`. */
export interface BlockJson {
  height: number;
  digest: string;
  previous: string;
  proposer: string;
  time: number;
  transactions: string[];
  certificate: { round: number; signers: string[] };
  transactionRoot: string;
  previousStateRoot: string;
}

/** `validators`: the set of the height of the block, to name its signers. */
export function blockJson(reply: BlockReply, validators: ValidatorSet): BlockJson {
  const { header: encoded, transactions } = Block.decode(reply.certified.block);
  const header = BlockHeader.decode(encoded);
  const { round, seals } = Certificate.decode(reply.certified.certificate);
  return {
    height: reply.height,
    digest: toHex(reply.digest),
    previous: toHex(header.previous),
    proposer: nodeIdOf(header.proposer),
    time: header.time,
    transactions: transactions.map((one) => toHex(decodeTransaction(one).id)),
    certificate: {
      round,
      signers: seals.flatMap(({ validator }) => {
        const key = validators.validators[validator]?.publicKey;
        return key === undefined ? [] : [nodeIdOf(key)];
      }),
    },
    transactionRoot: toHex(header.transactionRoot),
    previousStateRoot: toHex(header.previousStateRoot),
  };
}

/** Bytes as text where they are UTF-8, else as hex. */
export function textOf(bytes: Uint8Array): { readonly text: string; readonly encoding: 'utf8' | 'hex' } {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), encoding: 'utf8' };
  } catch {
    // Not UTF-8: that is the answer, not a fault.
    return { text: toHex(bytes), encoding: 'hex' };
  }
}

/** `it-chain kv get --json`. */
export interface KvValueJson {
  key: string;
  /** null where the key has no value. */
  value: string | null;
  height: number;
  stateRoot: string;
  /** How `value` is written: `hex` where the bytes are not UTF-8. */
  encoding: 'utf8' | 'hex';
  verified?: boolean;
}

/** A value as `it-chain kv get --json` prints it. */
export function kvValueJson({ key, value, height, stateRoot }: KvValue): KvValueJson {
  const shown = value === undefined ? undefined : textOf(value);
  return {
    key: textOf(key).text,
    value: shown?.text ?? null,
    height,
    stateRoot: toHex(stateRoot),
    encoding: shown?.encoding ?? 'utf8',
  };
}

/** `it-chain kv range --json`. */
export interface KvRangeJson {
  entries: { key: string; value: string }[];
  more: boolean;
  height: number;
  stateRoot: string;
}

/** A page of keys as `it-chain kv range --json` prints it. */
export function kvRangeJson({ entries, more, height, stateRoot }: KvRange): KvRangeJson {
  return {
    entries: entries.map(({ key, value }) => ({ key: textOf(key).text, value: textOf(value).text })),
    more,
    height,
    stateRoot: toHex(stateRoot),
  };
}
