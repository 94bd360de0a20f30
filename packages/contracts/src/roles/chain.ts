import {
  bool,
  bytes,
  choice,
  message,
  nested,
  optional,
  repeated,
  string,
  uint32,
  uint64,
  type Infer,
} from '../schema/index.js';
import { command, defineRole, event, optionalCall, query, type Served } from '../plugin/role.js';
import { Block, Certificate, CertifiedBlock } from '../data/block.js';
import { Snapshot } from '../data/snapshot.js';
import { ValidatorSet } from '../data/validator-set.js';
import { Receipt } from '../data/transaction.js';
import { GROWTHS } from '../data/genesis.js';
import { Learner, MembershipPolicy, SystemState } from '../data/system-state.js';
import { MEMBER_ROLES } from './p2p.js';
import { TransactionIds } from './txpool.js';
import { Nothing } from './common.js';

/** The end of the chain and what follows from it: all that consensus needs for the next height. */
export const ChainTip = message('ChainTip', {
  network: bytes(1, { length: 32 }),
  /** 0 = the genesis. */
  height: uint64(2),
  /** Digest of the last header; at height 0 the network. */
  digest: bytes(3, { length: 32 }),
  /** State root after the last block. */
  stateRoot: bytes(4, { length: 32 }),
  /** True where a block above certifies it, or it equals its parent's: then no empty block is needed. */
  rootCertified: bool(5),
  time: uint64(6),
  /** Creator of the last block; at height 0 the founder. */
  proposer: bytes(7, { length: 32 }),
  proposerSequence: uint64(8),
  /** V(height + 1). */
  validators: nested(9, ValidatorSet),
  /** V(height + 2). */
  nextValidators: nested(10, ValidatorSet),
  learners: repeated(nested(11, Learner), { maxItems: 1_000 }),
  /** stateRoot = SHA-256(systemRoot, applicationRoot). */
  systemRoot: bytes(12, { length: 32 }),
  applicationRoot: bytes(13, { length: 32 }),
  /** How learners become validators; absent while it is what the genesis says. */
  growth: optional(choice(14, 'Growth', GROWTHS)),
});
export type ChainTip = Infer<typeof ChainTip>;

/** Which block to build: of the height above the tip. */
export const BuildRequest = message('BuildRequest', {
  height: uint64(1),
  /** The round it is for: the later, the fewer transactions it holds. Absent: 0. */
  round: optional(uint32(2)),
});
/** `digest` is that of its header. The chain has stored the body. */
export const BuiltBlock = message('BuiltBlock', { block: nested(1, Block), digest: bytes(2, { length: 32 }) });
/** A block of the height above the tip to be checked by every rule and executed dry. */
export const CheckRequest = message('CheckRequest', {
  block: nested(1, Block),
  /** True: the time of the header is compared with the clock. False where a prepared certificate justifies the block. */
  fresh: bool(2),
});
/** The verdict on a block, and the digest of its header. */
export const CheckAnswer = message('CheckAnswer', {
  valid: bool(1),
  digest: bytes(2, { length: 32 }),
  /** Which rule it breaks; empty when valid. */
  reason: string(3, { maxLength: 1_024 }),
});
/** A block that was decided, by the digest of its header (32 bytes), with the certificate that says so. */
export const CommitRequest = message('CommitRequest', {
  height: uint64(1),
  digest: bytes(2, { length: 32 }),
  certificate: nested(3, Certificate),
  /** The block itself where it was not built or checked here before: blocks from sync. */
  block: optional(nested(4, Block)),
  /** Keys in `wal` to delete in the same batch, as a range of heights: everything below this one. */
  clearLogBelow: uint64(5),
  /** False leaves the flush to the next synced write: a power cut may take the block back, so it must not count as told. */
  sync: bool(6),
});
/** Ask for a block by height, or by digest when that is set. */
export const BlockRequest = message('BlockRequest', { height: uint64(1), digest: optional(bytes(2, { length: 32 })) });
/** The block with its certificate; absent, with an empty digest, where there is none. */
export const BlockAnswer = message('BlockAnswer', {
  block: optional(nested(1, CertifiedBlock)),
  digest: bytes(2, { maxLength: 32 }),
});
/** Committed blocks from a height on, in order. */
export const BlockRangeRequest = message('BlockRangeRequest', {
  from: uint64(1),
  /** 0 = 500. */ maxCount: uint32(2),
  /** 0 = 4 MiB less room for the envelope. */ maxBytes: uint32(3),
});
/** Blocks without a gap; fewer than asked for where a limit or the tip is reached. */
export const BlockRangeAnswer = message('BlockRangeAnswer', { blocks: repeated(nested(1, CertifiedBlock)) });
/** A range of heights (both ends included) to be fetched from peers (node ids). */
export const FetchBlocksRequest = message('FetchBlocksRequest', {
  from: uint64(1),
  to: uint64(2),
  /** Whom to ask; several are asked in parallel for different ranges. */
  peers: repeated(string(3, { maxLength: 64 }), { maxItems: 100 }),
});
/** Certified blocks without a gap from `from` on, perhaps fewer than asked for, and who sent each. Nothing of them is checked. */
export const FetchBlocksAnswer = message('FetchBlocksAnswer', {
  blocks: repeated(nested(1, CertifiedBlock)),
  sources: repeated(string(2, { maxLength: 64 })),
});

/** Where a committed transaction stands. */
export const Location = message('Location', { height: uint64(1), index: uint32(2) });
/** Where a transaction is committed and what came of it. */
export const LocatedTransaction = message('LocatedTransaction', {
  location: optional(nested(1, Location)),
  receipt: optional(nested(2, Receipt)),
});
/** In the order of the request; empty where the id is not committed. */
export const LocateAnswer = message('LocateAnswer', { transactions: repeated(nested(1, LocatedTransaction)) });
/** A transaction by its id: the SHA-256 of it, 32 bytes. */
export const TransactionId = message('TransactionId', { id: bytes(1, { length: 32 }) });
/** All that proves offline that a transaction is in the chain. */
export const TransactionProof = message('TransactionProof', {
  transaction: bytes(1),
  header: bytes(2, { maxLength: 1_024 }),
  certificate: nested(3, Certificate),
  index: uint32(4),
  path: repeated(bytes(5, { length: 32 }), { maxItems: 64 }),
  /** V(height) of the block, against which the certificate is checked. */
  validators: nested(6, ValidatorSet),
});
/** The height whose validator set is asked for. */
export const ValidatorsRequest = message('ValidatorsRequest', { /** 0 = the next height. */ height: uint64(1) });
/** The validator set of a height and how many of it decide. */
export const ValidatorsAt = message('ValidatorsAt', {
  height: uint64(1),
  validators: nested(2, ValidatorSet),
  quorum: uint32(3),
});
/** A question to the application at the tip. */
export const StateQuery = message('StateQuery', {
  path: string(1, { maxLength: 256 }),
  data: bytes(2),
  prove: bool(3),
});
/** Public keys (Ed25519, 32 bytes each) whose part in the network is asked for. */
export const MemberRoleRequest = message('MemberRoleRequest', {
  publicKeys: repeated(bytes(1, { length: 32 }), { maxItems: 1_000 }),
});
/** What one key is in the network. */
export const MemberRoleEntry = message('MemberRoleEntry', { role: choice(1, 'MemberRole', MEMBER_ROLES) });
/** One entry per key, in the order of the request. */
export const MemberRoles = message('MemberRoles', { roles: repeated(nested(1, MemberRoleEntry)) });

/** Who belongs to the network, and what is voted on. */
export const MembersAnswer = message('MembersAnswer', {
  /** Height of the tip. */
  height: uint64(1),
  /** V(height + 1). */
  validators: nested(2, ValidatorSet),
  /** After the tip: its validators are V(height + 2). Proposals that have expired are left out. */
  state: nested(3, SystemState),
  /** The policy that holds. */
  policy: nested(4, MembershipPolicy),
  /** Fewest validators that a leave or an eviction may leave. */
  minValidators: uint32(5),
  /** Heights after which the lead moves on; 0 = when it fails. */
  leaderTerm: uint32(6),
});
export type MembersAnswer = Infer<typeof MembersAnswer>;

/** A block that may be decided next: digest of its header, number and ids of its transactions. */
export const BlockProposed = message('BlockProposed', {
  height: uint64(1),
  digest: bytes(2, { length: 32 }),
  transactions: uint32(3),
  ids: repeated(bytes(4, { length: 32 })),
});
/** A block that is part of the chain now, synced to disk. */
export const BlockCommitted = message('BlockCommitted', {
  height: uint64(1),
  digest: bytes(2, { length: 32 }),
  /** Ids of its transactions, in order. */
  transactions: repeated(bytes(3, { length: 32 })),
  proposer: bytes(4, { length: 32 }),
  time: uint64(5),
  /** Height of the last block in the store when this was told: a listener that sees a gap asks storage. */
  tip: uint64(6),
  round: uint32(7),
});
export type BlockCommitted = Infer<typeof BlockCommitted>;

/** Asks peers for the snapshot that each offers. */
export const FindSnapshotRequest = message('FindSnapshotRequest', {
  /** Whom to ask. */
  peers: repeated(string(1, { maxLength: 64 }), { maxItems: 100 }),
});
/** The highest snapshot that was offered, and by whom. Nothing of it is checked. */
export const FoundSnapshot = message('FoundSnapshot', {
  snapshot: optional(nested(1, Snapshot)),
  peer: string(2, { maxLength: 64 }),
});
/** A snapshot to begin the chain with, and the peer (node id) that serves its pages. */
export const RestoreSnapshotRequest = message('RestoreSnapshotRequest', {
  snapshot: nested(1, Snapshot),
  /** Whom to fetch its pages from. */
  peer: string(2, { maxLength: 64 }),
});
/** The network that survivors of a lost quorum go on with. */
export const RecoverRequest = message('RecoverRequest', {
  /** Of the network that goes on from the tip, encoded. */
  genesis: bytes(1, { maxLength: 65_536 }),
});
/** The snapshot that this chain began with; absent where it has all blocks. */
export const ChainBase = message('ChainBase', { snapshot: optional(nested(1, Snapshot)) });

/** The ledger. */
export const Chain = defineRole('chain', 1, {
  doc: 'Builds, checks, executes, commits, serves and fetches blocks.',
  promises: [
    "C1: block, certificate, receipts, indexes, the application's writes and the tip are one synced batch on the condition that the tip is the parent",
    'C2: a block that breaks a rule is answered as not valid with the rule, and changes nothing',
    'C3: the same blocks give the same digests and state roots on every node',
    'C4: a transaction id is committed at most once in the window of the network',
    'C5: after any crash the tip, the blocks and the application agree',
    'C6: a change of members in block h holds from V(h+2) on',
    'C7: check is a function of the chain and the block, but for the time of a fresh block',
    'C8: where it has snapshots, a chain that begins with one goes on like one that has all blocks, and a snapshot whose parts are not what its header commits to is an error and changes nothing',
  ],
  calls: {
    build: command({
      name: 'block.build',
      doc: 'Makes the next block from the pool and stores its body.',
      in: BuildRequest,
      out: BuiltBlock,
    }),
    check: command({
      name: 'block.check',
      doc: 'Checks a block of the next height, executes it dry and stores its body, synced.',
      in: CheckRequest,
      out: CheckAnswer,
    }),
    commit: command({
      name: 'block.commit',
      doc: 'Commits a block whose certificate the caller has verified; a height at or below the tip is answered with the tip.',
      in: CommitRequest,
      out: ChainTip,
      timeoutMs: 30_000,
    }),
    tip: query({
      name: 'chain.tip',
      doc: 'The end of the chain. ERR_NETWORK_UNFOUNDED before founding.',
      in: Nothing,
      out: ChainTip,
    }),
    get: query({
      name: 'block.get',
      doc: 'A committed block with its certificate.',
      in: BlockRequest,
      out: BlockAnswer,
    }),
    range: query({
      name: 'block.range',
      doc: 'Committed blocks from a height on, bounded by count and bytes.',
      in: BlockRangeRequest,
      out: BlockRangeAnswer,
    }),
    fetch: query({
      name: 'chain.fetch',
      doc: 'Certified blocks from peers, in parallel.',
      in: FetchBlocksRequest,
      out: FetchBlocksAnswer,
      timeoutMs: 60_000,
    }),
    findSnapshot: optionalCall(
      query({
        name: 'snapshot.find',
        doc: 'The highest snapshot that one of these peers offers.',
        in: FindSnapshotRequest,
        out: FoundSnapshot,
        timeoutMs: 30_000,
      }),
    ),
    restore: optionalCall(
      command({
        name: 'snapshot.restore',
        doc: 'Begins a chain of height 0 with a snapshot whose certificates the caller has verified.',
        in: RestoreSnapshotRequest,
        out: ChainTip,
        timeoutMs: 3_600_000,
      }),
    ),
    recover: optionalCall(
      command({
        name: 'chain.recover',
        doc: 'Changes the stored chain over to a network that recovers it. For an operator whose network has lost its quorum for good; no node asks for it.',
        in: RecoverRequest,
        out: ChainTip,
        timeoutMs: 3_600_000,
      }),
    ),
    base: optionalCall(query({ name: 'chain.base', doc: 'What this chain began with.', in: Nothing, out: ChainBase })),
    locate: query({
      name: 'transaction.locate',
      doc: 'Where transactions are committed.',
      in: TransactionIds,
      out: LocateAnswer,
    }),
    prove: query({
      name: 'transaction.prove',
      doc: 'The offline proof of a committed transaction. ERR_BLOCK_NOT_FOUND where it is not committed.',
      in: TransactionId,
      out: TransactionProof,
    }),
    validators: query({
      name: 'chain.validators',
      doc: 'The validator set of a height up to the tip plus 2.',
      in: ValidatorsRequest,
      out: ValidatorsAt,
    }),
    roles: query({
      name: 'member.roles',
      doc: 'What these keys are in the network at the tip.',
      in: MemberRoleRequest,
      out: MemberRoles,
    }),
    members: query({
      name: 'chain.members',
      doc: 'Validators, learners, policy, proposals and evicted keys at the tip. ERR_NETWORK_UNFOUNDED before founding.',
      in: Nothing,
      out: MembersAnswer,
    }),
  },
  events: {
    proposed: event({
      name: 'block.proposed',
      doc: 'A block of the next height was built or checked here.',
      body: BlockProposed,
    }),
    committed: event({ name: 'block.committed', doc: 'A block is part of the chain.', body: BlockCommitted }),
  },
});
export type Chain = Served<typeof Chain>;
