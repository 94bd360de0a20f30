import { toHex, type Block, type ChainTip } from '@it-chain/contracts';
import type { Effect, LogRecord, MachineOptions } from './interface.js';
import { leaderKey, type Members } from './members.js';
import type { ConsensusMessage, PreparedClaim, Proposal, RoundChange, SignedVote } from './messages.js';

/** A digest or public key in hex: what maps are keyed by. */
export type Hex = string;

/** A block that this node holds to be valid. */
export interface KnownBlock {
  readonly block: Block;
  /** Its time was compared with the clock. */
  readonly fresh: boolean;
  /** The chain has its body. */
  readonly stored: boolean;
}

/** A block that is being checked. */
export interface PendingCheck {
  readonly check: number;
  readonly digest: Hex;
  readonly block: Block;
  readonly fresh: boolean;
  /** `<sender>/<round>`: whose try it is, should it fail. */
  readonly asker: string;
}

/** A quorum of PREPAREs that this node has seen and committed to. */
export interface Prepared {
  readonly round: number;
  readonly digest: Uint8Array;
  readonly prepares: readonly SignedVote[];
}

/** A ROUND_CHANGE as it is kept: without its block. */
export interface KeptRoundChange {
  readonly vote: SignedVote;
  readonly prepared: PreparedClaim | undefined;
  readonly prepares: readonly SignedVote[];
}

/** What this node has asked to be signed at this height; `record` once it is. */
export interface OwnVote {
  readonly digest: Hex;
  readonly record?: LogRecord | undefined;
}

/** What a peer's last STATUS said. */
export interface PeerView {
  readonly height: number;
  readonly round: number;
  /** Heights it was behind our tip when it said so. */
  readonly lag: number;
}

/** A message of the next height. */
export interface HeldMessage {
  readonly from: Uint8Array;
  readonly content: ConsensusMessage;
  readonly attempt: number;
}

/** Votes by round, then by signer. */
export type VotePool = Map<number, Map<Hex, SignedVote>>;

/** All of a height; thrown away when it is decided. */
export interface HeightState {
  round: number;
  /** Digest of the block accepted in this round. */
  accepted: Hex | undefined;
  prepared: Prepared | undefined;
  /** By `<type>/<round>`. */
  own: Map<string, OwnVote>;
  /** Votes in proposals by round: the leader's one word. */
  proposed: VotePool;
  /** Justified proposals by round that wait for their check or for their round. */
  proposals: Map<number, Proposal>;
  prepares: VotePool;
  commits: VotePool;
  roundChanges: Map<number, Map<Hex, KeptRoundChange>>;
  /** Each sender's highest ROUND_CHANGE, also above the window. */
  highest: Map<Hex, KeptRoundChange>;
  /** The highest round that each validator has voted in, in any way: it is there or further. */
  reached: Map<Hex, number>;
  blocks: Map<Hex, KnownBlock>;
  checks: Map<number, PendingCheck>;
  /** Failed checks by sender and round: a leader is not given unlimited tries. */
  failures: Map<string, number>;
  /** `<type>/<signer>` for which evidence was given. */
  accused: Set<string>;
  built: { readonly round: number; readonly block: Block; readonly digest: Uint8Array } | undefined;
  building: number | undefined;
  /** The last build gave no block. */
  buildFailed: boolean;
  /** Digest under `decide`. */
  deciding: Hex | undefined;
  /** A valid message of this height was seen, so others have work. */
  touched: boolean;
  /** The round timer runs for this round. */
  armed: boolean;
  rebroadcasting: boolean;
  /** Rebroadcasts so far. */
  attempt: number;
  /** By `<type>/<round>`: the attempt before the first rebroadcast of an own message that carries a block. */
  heavySince: Map<string, number>;
  /** Digests asked for by WANT since the last rebroadcast. */
  wanted: Set<Hex>;
}

/** The whole state of a machine: plain data, so that `structuredClone` copies it. */
export interface State {
  readonly options: MachineOptions;
  readonly selfKey: Hex;
  tip: ChainTip | undefined;
  /** The open height: tip + 1. */
  height: number;
  /** V(height). */
  members: Members;
  /** V(height + 1). */
  nextMembers: Members;
  at: HeightState;
  held: HeldMessage[];
  work: { readonly pooled: boolean; readonly leaderDown: boolean };
  connected: Map<Hex, Uint8Array>;
  peers: Map<Hex, PeerView>;
  /** The last vote seen of each validator of this and the next height. */
  lastVotes: Map<Hex, SignedVote>;
  /** No vote is signed up to this height: peers hold later votes of this node than it remembers. */
  silentUntil: number;
  /** STATUS sent since the tip last moved. */
  statusAttempt: number;
  nextCheck: number;
  /** What the last `round` effect said. */
  told: { readonly height: number; readonly round: number; readonly leader: Hex } | undefined;
  /** Peers that were asked for the certificate of this tip. */
  audited: Set<Hex>;
}

/** One step: the state and the effects so far. */
export interface Turn {
  readonly state: State;
  readonly out: Effect[];
}

/** The state of a height that was just entered. */
export function emptyHeight(): HeightState {
  return {
    round: 0,
    accepted: undefined,
    prepared: undefined,
    own: new Map(),
    proposed: new Map(),
    proposals: new Map(),
    prepares: new Map(),
    commits: new Map(),
    roundChanges: new Map(),
    highest: new Map(),
    reached: new Map(),
    blocks: new Map(),
    checks: new Map(),
    failures: new Map(),
    accused: new Set(),
    built: undefined,
    building: undefined,
    buildFailed: false,
    deciding: undefined,
    touched: false,
    armed: false,
    rebroadcasting: false,
    attempt: 0,
    heavySince: new Map(),
    wanted: new Set(),
  };
}

const NOBODY: Members = { set: { validators: [] }, keys: [], index: new Map(), n: 0, f: 0, q: 1 };

/** A machine that has not been started. */
export function createState(options: MachineOptions): State {
  return {
    options,
    selfKey: toHex(options.self),
    tip: undefined,
    height: 0,
    members: NOBODY,
    nextMembers: NOBODY,
    at: emptyHeight(),
    held: [],
    work: { pooled: false, leaderDown: false },
    connected: new Map(),
    peers: new Map(),
    lastVotes: new Map(),
    silentUntil: 0,
    statusAttempt: 0,
    nextCheck: 1,
    told: undefined,
    audited: new Set(),
  };
}

/** True where this node is in V(height). */
export const isValidator = (state: State): boolean => state.members.index.has(state.selfKey);

/** True where this node must not sign: see {@link State.silentUntil}. */
export const isSilent = (state: State): boolean => state.height <= state.silentUntil;

/** The public key (hex) of leader(height, round) of the open height; empty before the start. */
export function leaderAt(state: State, round: number): Hex {
  if (state.tip === undefined || state.members.n === 0) return '';
  return leaderKey(state.members, state.tip, round, state.options.leaderTerm);
}

/** Work that makes a block: transactions, a change of members on its way, an uncertified root, or a leader that is away. */
export function hasWork(state: State): boolean {
  const { tip, work } = state;
  if (tip === undefined) return false;
  return work.pooled || work.leaderDown || !tip.rootCertified || !sameMembers(state.members, state.nextMembers);
}

function sameMembers(a: Members, b: Members): boolean {
  return a.n === b.n && a.keys.every((key, index) => key === b.keys[index]);
}

/** TIMER: min(T0 * 2^round, Tmax), in ms. */
export function timeoutOf(options: MachineOptions, round: number): number {
  return Math.min(options.baseTimeoutMs * 2 ** Math.min(round, 30), options.maxTimeoutMs);
}

/** Strips a ROUND_CHANGE of its block, which is kept once for all. */
export function keepRoundChange(change: RoundChange): KeptRoundChange {
  return { vote: change.vote, prepared: change.prepared, prepares: change.prepares };
}
