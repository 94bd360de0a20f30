import type { Block, Certificate, ChainTip, VoteType } from '@it-chain/contracts';
import type { ConsensusMessage, SignedVote, VoteMessage } from './messages.js';

/** What is fixed for the life of a machine. */
export interface MachineOptions {
  /** Public key of this node, 32 bytes. */
  readonly self: Uint8Array;
  /** Digest of the genesis, 32 bytes. */
  readonly network: Uint8Array;
  /** Heights after which the lead moves on; 0 = sticky. */
  readonly leaderTerm: number;
  /** T0: the timeout of round 0, in ms. Doubles with each round. */
  readonly baseTimeoutMs: number;
  /** Tmax: no timeout is longer, in ms. */
  readonly maxTimeoutMs: number;
  /** Own messages are sent again this often while the height is open, in ms. */
  readonly rebroadcastMs: number;
  /** STATUS goes out this often, in ms. */
  readonly statusMs: number;
  /** Rounds above the present one for which messages are kept. */
  readonly roundWindow: number;
  /** A peer that is behind gets this many DECIDED; a node that is further behind syncs. */
  readonly decidedReach: number;
  /** Peers whose STATUS is kept. */
  readonly maxPeers: number;
  /** True: votes are signed although peers hold later votes of this node than it remembers. */
  readonly acceptDoubleSignRisk: boolean;
}

/** A record of the log: a message of this node that was signed, and what it needs to take up its work again. */
export interface LogRecord {
  readonly message: VoteMessage;
  /** The block that a PREPARE or COMMIT is for. PROPOSAL and ROUND_CHANGE carry theirs. */
  readonly block?: Block | undefined;
  /** The quorum of PREPAREs behind a COMMIT. */
  readonly prepares: readonly SignedVote[];
}

/** Names of timers: there is one of each at a time. */
export type TimerName = 'round' | 'rebroadcast' | 'status';

/** What a machine is told. Every signature in a message has been verified by whoever tells it. */
export type Input =
  /** First of all, or over again on another network: the tip, and the log of the height above it in the order of writing. */
  | {
      readonly type: 'start';
      readonly tip: ChainTip;
      readonly records: readonly LogRecord[];
      /** The log goes further than the chain: no vote up to this height. */
      readonly silentUntil?: number;
    }
  /** A message of the peer with this public key. Votes of heights below the open one need not be verified. */
  | {
      readonly type: 'message';
      readonly from: Uint8Array;
      readonly content: ConsensusMessage;
      readonly attempt: number;
    }
  /** An own message that is signed, on disk and on its way to the others. */
  | { readonly type: 'signed'; readonly record: LogRecord }
  /** An own message that the signing guard refused to sign. */
  | { readonly type: 'refused'; readonly kind: VoteMessage['kind']; readonly height: number; readonly round: number }
  | { readonly type: 'timeout'; readonly timer: TimerName; readonly height: number; readonly round: number }
  /** Whether transactions wait here, and whether the session to leader(tip+1, 0) has been down for 2 * T0. */
  | { readonly type: 'work'; readonly pooled: boolean; readonly leaderDown: boolean }
  /** The answer to `build`; without a block it failed and is asked for again later. */
  | {
      readonly type: 'built';
      readonly height: number;
      readonly round: number;
      readonly block?: Block | undefined;
      readonly digest?: Uint8Array | undefined;
    }
  /** The answer to `check`. `unknown`: it could not be asked. */
  | { readonly type: 'checked'; readonly check: number; readonly verdict: 'valid' | 'invalid' | 'unknown' }
  /** The tip has moved: after `decide`, or by sync. */
  | { readonly type: 'committed'; readonly tip: ChainTip }
  /** The block of `decide` could not be committed: its body does not fit its header. */
  | { readonly type: 'decide-failed'; readonly height: number }
  | { readonly type: 'connected'; readonly peer: Uint8Array }
  | { readonly type: 'disconnected'; readonly peer: Uint8Array }
  /** This node holds that the leader leaves transactions out: it asks for another one at this height. */
  | { readonly type: 'complain'; readonly height: number };

/** What a machine wants done, in this order. */
export type Effect =
  /**
   * The barrier: sign the vote, write the record, synced; only then send the message to these validators and
   * tell the machine `signed`. Nothing behind it in the order of signing is done before.
   */
  | { readonly type: 'sign'; readonly record: LogRecord; readonly to: readonly Uint8Array[] }
  /** Send a signed message again, to these validators (public keys). */
  | {
      readonly type: 'send';
      readonly to: readonly Uint8Array[];
      readonly content: ConsensusMessage;
      readonly attempt: number;
    }
  /** Send DECIDED for committed heights. */
  | { readonly type: 'send-decided'; readonly to: Uint8Array; readonly from: number; readonly count: number }
  | {
      readonly type: 'set-timer';
      readonly timer: TimerName;
      readonly height: number;
      readonly round: number;
      readonly ms: number;
    }
  | { readonly type: 'clear-timer'; readonly timer: TimerName }
  | { readonly type: 'build'; readonly height: number; readonly round: number }
  | {
      readonly type: 'check';
      /** To be given back in `checked`. */
      readonly check: number;
      readonly height: number;
      readonly digest: Uint8Array;
      readonly block: Block;
      readonly fresh: boolean;
    }
  /** Commit. `stored`: the block was built or checked here since the start, so the chain has its body. */
  | {
      readonly type: 'decide';
      readonly height: number;
      readonly digest: Uint8Array;
      readonly block: Block;
      readonly stored: boolean;
      readonly certificate: Certificate;
    }
  /** Two votes of one validator that exclude each other. */
  | { readonly type: 'evidence'; readonly first: SignedVote; readonly second: SignedVote }
  /** This peer says that it is ahead. */
  | { readonly type: 'sync'; readonly peer: Uint8Array; readonly height: number }
  /** This peer says that another block was decided at the height of our tip: ask it for the certificate. */
  | { readonly type: 'audit'; readonly peer: Uint8Array; readonly height: number }
  /** Two quorums of COMMITs for one height: more than f validators are Byzantine. */
  | { readonly type: 'violation'; readonly height: number; readonly first: Uint8Array; readonly second: Uint8Array }
  /** Height, round or leader is another one. */
  | { readonly type: 'round'; readonly height: number; readonly round: number; readonly leader: Uint8Array };

/** Kinds of votes that a validator signs. */
export type OwnVoteType = Exclude<VoteType, 'none'>;
