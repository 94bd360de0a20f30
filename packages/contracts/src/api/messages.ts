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
import { CertifiedBlock } from '../data/block.js';
import { Snapshot } from '../data/snapshot.js';
import { MemberAction } from '../data/membership.js';
import { EvictedMember, MembershipPolicy } from '../data/system-state.js';
import { ValidatorSet } from '../data/validator-set.js';
import { Receipt } from '../data/transaction.js';
import { MEMBER_ROLES } from '../roles/p2p.js';
import { TRANSACTION_STATES } from '../roles/txpool.js';

/** Where a transaction stands, for clients. `it-chain tx get --json` shows the same. */
export const TransactionStatus = message('TransactionStatus', {
  id: bytes(1, { maxLength: 32 }),
  status: choice(2, 'TransactionState', TRANSACTION_STATES),
  /** Code of a rejection, or empty. */
  code: string(3),
  /** Why it waits or was rejected, in words. */
  reason: string(4),
  hint: string(5),
  /** Set once committed. */
  height: optional(uint64(6)),
  index: optional(uint32(7)),
  receipt: optional(nested(8, Receipt)),
});
export type TransactionStatus = Infer<typeof TransactionStatus>;
/** Signed transactions for the pool, at most 10,000. */
export const SubmitRequest = message('SubmitRequest', {
  /** Canonical encoded transactions. */
  transactions: repeated(bytes(1), { maxItems: 10_000 }),
});
/** In the order of the request. */
export const SubmitResponse = message('SubmitResponse', { results: repeated(nested(1, TransactionStatus)) });
/** A payload that the node makes a transaction of. Admin call. */
export const SignAndSubmitRequest = message('SignAndSubmitRequest', {
  /** Payload for the application; the node signs it with its own key. */
  payload: bytes(1),
  /** 0 = the end of the window. */
  expiresAt: uint64(2),
});
/** A transaction by its id: the SHA-256 of it, 32 bytes. */
export const TransactionRequest = message('TransactionRequest', { id: bytes(1, { length: 32 }) });
/** A block by height, or by the digest of its header where that is set. */
export const GetBlockRequest = message('GetBlockRequest', {
  /** 0 with no digest = the tip. */ height: uint64(1),
  digest: optional(bytes(2, { length: 32 })),
});
/** Blocks from a height on. */
export const GetBlocksRequest = message('GetBlocksRequest', {
  from: uint64(1),
  /** 0 = 100, at most 500. */ limit: uint32(2),
});
/** Asks for every block from a height on, as it is committed. */
export const FollowBlocksRequest = message('FollowBlocksRequest', {
  /** First height; 0 = the next one. */ from: uint64(1),
});
/** A block as clients get it. */
export const BlockReply = message('BlockReply', {
  height: uint64(1),
  digest: bytes(2, { length: 32 }),
  certified: nested(3, CertifiedBlock),
});
export type BlockReply = Infer<typeof BlockReply>;
/** Blocks without a gap, in order. */
export const BlocksReply = message('BlocksReply', { blocks: repeated(nested(1, BlockReply)) });
/** A question to the application, in its own words: `path` and `data`. */
export const QueryStateRequest = message('QueryStateRequest', {
  path: string(1, { maxLength: 256 }),
  data: bytes(2),
  prove: bool(3),
});
/** The answer at the tip, with what is needed to check its proof against a certified header. `code` is the application's own; 0 = answered. */
export const QueryStateReply = message('QueryStateReply', {
  found: bool(1),
  data: bytes(2),
  proof: bytes(3),
  code: uint32(4),
  /** The answer holds after this height. */
  height: uint64(5),
  stateRoot: bytes(6, { length: 32 }),
  applicationRoot: bytes(7, { length: 32 }),
  systemRoot: bytes(8, { length: 32 }),
});
export type QueryStateReply = Infer<typeof QueryStateReply>;
/** A row of the peer table with its part in the network. `since` is in ms since the epoch. */
export const PeerReply = message('PeerReply', {
  nodeId: string(1),
  name: string(2),
  address: string(3),
  self: bool(4),
  connected: bool(5),
  direction: string(6),
  since: uint64(7),
  role: choice(8, 'MemberRole', MEMBER_ROLES),
  publicKey: bytes(9, { length: 32 }),
});
export type PeerReply = Infer<typeof PeerReply>;
/** The peer table, this node first. */
export const PeersReply = message('PeersReply', { peers: repeated(nested(1, PeerReply)) });
/** The leader by node id, and the height and round for which it leads. */
export const LeaderReply = message('LeaderReply', {
  /** Empty = none yet. */ leader: string(1),
  height: uint64(2),
  round: uint32(3),
});
export type LeaderReply = Infer<typeof LeaderReply>;
/** The height whose validator set is asked for. */
export const GetValidatorsRequest = message('GetValidatorsRequest', { /** 0 = the next height. */ height: uint64(1) });
/** The validator set of a height and how many of it decide. */
export const ValidatorsReply = message('ValidatorsReply', {
  height: uint64(1),
  validators: nested(2, ValidatorSet),
  quorum: uint32(3),
});
export type ValidatorsReply = Infer<typeof ValidatorsReply>;
/** A plugin of the node: its role, version and health with the reason. */
export const PluginStatus = message('PluginStatus', {
  name: string(1),
  role: string(2),
  version: string(3),
  state: string(4),
  reason: string(5),
});
/** How full the pool is, in transactions and bytes, against its limits. */
export const PoolSummary = message('PoolSummary', {
  count: uint32(1),
  bytes: uint64(2),
  maxCount: uint32(3),
  maxBytes: uint64(4),
});
/** The node in one answer: who it is, its network, tip, leader, pool and plugins. */
export const StatusReply = message('StatusReply', {
  nodeId: string(1),
  name: string(2),
  /** Empty before founding; then `candidate` is set. */
  network: bytes(3, { maxLength: 32 }),
  candidate: bytes(4, { maxLength: 32 }),
  height: uint64(5),
  digest: bytes(6, { maxLength: 32 }),
  /** Node id, or empty. */
  leader: string(7),
  round: uint32(8),
  role: choice(9, 'MemberRole', MEMBER_ROLES),
  validators: uint32(10),
  /** Connected peers. */
  peers: uint32(11),
  pool: nested(12, PoolSummary),
  plugins: repeated(nested(13, PluginStatus)),
  /** Why nothing is decided, or empty. */
  waiting: string(14),
  publicKey: bytes(15, { length: 32 }),
  peerAddress: string(16),
  stateRoot: bytes(17, { maxLength: 32 }),
  /** W of the genesis; 0 before founding. */
  window: uint32(18),
  version: string(19),
  startedAt: uint64(20),
  insecure: bool(21),
});
export type StatusReply = Infer<typeof StatusReply>;
/** Whom to dial: `[NODEID@]HOST:PORT`; with an id it is pinned. */
export const DialAddressRequest = message('DialAddressRequest', { address: string(1, { maxLength: 512 }) });
/** Whom the dial reached, and the network (digest of its genesis) that it belongs to; empty before founding. */
export const DialReply = message('DialReply', {
  nodeId: string(1),
  address: string(2),
  network: bytes(3, { maxLength: 32 }),
});
/** What a join has come to: whom it reached, the network, and the transaction that asks for membership. */
export const JoinReply = message('JoinReply', {
  nodeId: string(1),
  network: bytes(2, { length: 32 }),
  transaction: bytes(3, { maxLength: 32 }),
  /** True where that transaction only proposes the node: the validators vote on it. */
  voted: bool(4),
});
/** The peer, by node id, whose session is to be ended. */
export const DisconnectPeerRequest = message('DisconnectPeerRequest', { nodeId: string(1, { maxLength: 64 }) });
/** Answer of calls that have nothing to tell. */
export const Done = message('Done', {});
/** Id of the transaction that takes this node out of the network, 32 bytes. */
export const LeaveReply = message('LeaveReply', { transaction: bytes(1, { length: 32 }) });
/** A member as clients see it. */
export const MemberReply = message('MemberReply', {
  nodeId: string(1),
  publicKey: bytes(2, { length: 32 }),
  /** Empty where neither the chain nor the peer table has it. */
  name: string(3),
  /** `validator` from the height on at which it votes; until then it is a `learner`. */
  role: choice(4, 'MemberRole', MEMBER_ROLES),
  /** Grows with every join. */
  sequence: uint64(5),
  /** This node has a session to it, or is it. */
  connected: bool(6),
});
/** A proposal with its votes, by node id. */
export const ProposalReply = message('ProposalReply', {
  id: bytes(1, { length: 32 }),
  proposer: string(2),
  action: nested(3, MemberAction),
  /** The last height at which it may be voted on. */
  expiresAt: uint64(4),
  approvals: repeated(string(5)),
  rejections: repeated(string(6)),
});
export type ProposalReply = Infer<typeof ProposalReply>;
/** Who belongs to the network at the tip, what is voted on, and by which policy. */
export const MembersReply = message('MembersReply', {
  /** Height of the tip. */
  height: uint64(1),
  /** The validators of the last scheduled set first, then the learners, each in the order of joining. */
  members: repeated(nested(2, MemberReply)),
  /** Approvals that do what is proposed: of the last scheduled set, as are the next two. */
  quorum: uint32(3),
  validators: uint32(4),
  /** Byzantine validators tolerated. */
  tolerated: uint32(5),
  policy: nested(6, MembershipPolicy),
  minValidators: uint32(7),
  /** Heights after which the lead moves on; 0 = when it fails. */
  leaderTerm: uint32(8),
  proposals: repeated(nested(9, ProposalReply)),
  evicted: repeated(nested(10, EvictedMember)),
});
export type MembersReply = Infer<typeof MembersReply>;

/** A validator in the agreement on the open height. */
export const ConsensusView = message('ConsensusView', {
  nodeId: string(1),
  name: string(2),
  publicKey: bytes(3, { length: 32 }),
  self: bool(4),
  /** It is this node, or this node has a session to it. */
  present: bool(5),
  /** ms since the epoch: since when it is missing, 0 where it is not. */
  missingSince: uint64(6),
  /** Height and round of its last message. */
  height: uint64(7),
  round: uint32(8),
  /** ms since the epoch of its last message, 0 = never. */
  seen: uint64(9),
});
/** Where agreement on the open height stands, and why it waits if it does. */
export const ConsensusReply = message('ConsensusReply', {
  /** The height that is open; 0 before founding. */
  height: uint64(1),
  round: uint32(2),
  /** Node id, or empty. */
  leader: string(3),
  /** Validators of the open height, how many of them decide, and how many are present. */
  validators: uint32(4),
  quorum: uint32(5),
  present: uint32(6),
  /** Byzantine validators tolerated. */
  tolerated: uint32(7),
  /** This node is one of the validators. */
  validator: bool(8),
  views: repeated(nested(9, ConsensusView)),
  /** Why nothing is decided, in one sentence; empty when idle or moving. */
  waiting: string(10),
  /** There is something to decide. */
  working: bool(11),
  /** ms since the epoch: when this height was entered, 0 = not known. */
  since: uint64(12),
  /** Why this node asks for another leader, or empty. */
  complaint: string(13),
  /** Proofs of equivocation that this node has kept. */
  evidence: uint32(14),
});
export type ConsensusReply = Infer<typeof ConsensusReply>;

/** Asks for the events of the node as they happen. */
export const FollowEventsRequest = message('FollowEventsRequest', {
  /** Event names such as `block.committed`; empty = all. */ names: repeated(string(1, { maxLength: 128 }), {
    maxItems: 100,
  }),
});
/** An event of the node. `timestamp` is in ms since the epoch. */
export const EventReply = message('EventReply', {
  name: string(1),
  /** The body as JSON, bytes in hex. */ json: string(2),
  timestamp: uint64(3),
});
export type EventReply = Infer<typeof EventReply>;
/** All metrics of the process. */
export const MetricsReply = message('MetricsReply', { /** Prometheus text format. */ text: string(1) });
/** What a walk through the whole store found; no problems = sound. */
export const StoreReport = message('StoreReport', {
  entries: uint64(1),
  bytes: uint64(2),
  problems: repeated(string(3), { maxItems: 1_000 }),
});
/** The network of this node: its genesis, the digest of it, and whether it can still change over at height 0. */
export const GenesisReply = message('GenesisReply', {
  /** Encoded Genesis. */ genesis: bytes(1, { maxLength: 65_536 }),
  network: bytes(2, { length: 32 }),
  settled: bool(3),
  /** The snapshot that the chain of this node begins with; absent where it has all blocks. */
  base: optional(nested(4, Snapshot)),
});
