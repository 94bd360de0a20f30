import type { Block, Certificate, ChainTip, VoteType } from '@it-chain/contracts';

/** A signed vote as it travels: what `VoteContent` says, its signer (public key, 32 bytes) and 64 bytes of signature. */
export interface Vote {
  readonly type: VoteType;
  readonly height: number;
  readonly round: number;
  readonly digest: Uint8Array;
  readonly signer: Uint8Array;
  readonly signature: Uint8Array;
}

/** Round and digest of what the sender of a ROUND_CHANGE had prepared. */
export interface PreparedClaim {
  readonly round: number;
  readonly digest: Uint8Array;
}

/** What a justification keeps of a ROUND_CHANGE. */
export interface RoundChangeClaim {
  readonly vote: Vote;
  readonly prepared?: PreparedClaim | undefined;
}

/** PROPOSAL. */
export interface ProposalMessage {
  readonly kind: 'proposal';
  readonly vote: Vote;
  readonly block: Block;
  readonly roundChanges: readonly RoundChangeClaim[];
  readonly prepares: readonly Vote[];
}

/** ROUND_CHANGE. */
export interface RoundChangeMessage {
  readonly kind: 'round-change';
  readonly vote: Vote;
  readonly prepared?: PreparedClaim | undefined;
  readonly block?: Block | undefined;
  readonly prepares: readonly Vote[];
}

/** The messages that carry a vote of their sender. */
export type VoteMessage =
  | ProposalMessage
  | { readonly kind: 'prepare'; readonly vote: Vote }
  | { readonly kind: 'commit'; readonly vote: Vote }
  | RoundChangeMessage;

/** DECIDED. */
export interface DecidedMessage {
  readonly kind: 'decided';
  readonly block: Block;
  readonly certificate: Certificate;
}

/** STATUS. */
export interface StatusMessage {
  readonly kind: 'status';
  readonly height: number;
  readonly digest: Uint8Array;
  readonly round: number;
  readonly seen?: Vote | undefined;
}

/** All messages between the machines. */
export type Message =
  | VoteMessage
  | DecidedMessage
  | StatusMessage
  | { readonly kind: 'want'; readonly height: number; readonly digest: Uint8Array }
  | { readonly kind: 'body'; readonly height: number; readonly block: Block };

/** A record of the log: see the plugin's own `LogRecord`. */
export interface LogRecord {
  readonly message: VoteMessage;
  readonly block?: Block | undefined;
  readonly prepares: readonly Vote[];
}

/** Names of the machine's timers. */
export type TimerName = 'round' | 'rebroadcast' | 'status';

/** What the machine is fixed to. Times in ms. */
export interface MachineOptions {
  readonly self: Uint8Array;
  readonly network: Uint8Array;
  readonly leaderTerm: number;
  readonly baseTimeoutMs: number;
  readonly maxTimeoutMs: number;
  readonly rebroadcastMs: number;
  readonly statusMs: number;
  readonly roundWindow: number;
  readonly decidedReach: number;
  readonly maxPeers: number;
  readonly acceptDoubleSignRisk: boolean;
}

/** What the machine is told. */
export type MachineInput =
  | {
      readonly type: 'start';
      readonly tip: ChainTip;
      readonly records: readonly LogRecord[];
      readonly silentUntil?: number;
    }
  | { readonly type: 'message'; readonly from: Uint8Array; readonly content: Message; readonly attempt: number }
  | { readonly type: 'signed'; readonly record: LogRecord }
  | { readonly type: 'refused'; readonly kind: VoteMessage['kind']; readonly height: number; readonly round: number }
  | { readonly type: 'timeout'; readonly timer: TimerName; readonly height: number; readonly round: number }
  | { readonly type: 'work'; readonly pooled: boolean; readonly leaderDown: boolean }
  | {
      readonly type: 'built';
      readonly height: number;
      readonly round: number;
      readonly block?: Block | undefined;
      readonly digest?: Uint8Array | undefined;
    }
  | { readonly type: 'checked'; readonly check: number; readonly verdict: 'valid' | 'invalid' | 'unknown' }
  | { readonly type: 'committed'; readonly tip: ChainTip }
  | { readonly type: 'decide-failed'; readonly height: number }
  | { readonly type: 'connected'; readonly peer: Uint8Array }
  | { readonly type: 'disconnected'; readonly peer: Uint8Array }
  | { readonly type: 'complain'; readonly height: number };

/** What the machine wants done, in this order. */
export type MachineEffect =
  | { readonly type: 'sign'; readonly record: LogRecord; readonly to: readonly Uint8Array[] }
  | {
      readonly type: 'send';
      readonly to: readonly Uint8Array[];
      readonly content: Message;
      readonly attempt: number;
    }
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
      readonly check: number;
      readonly height: number;
      readonly digest: Uint8Array;
      readonly block: Block;
      readonly fresh: boolean;
    }
  | {
      readonly type: 'decide';
      readonly height: number;
      readonly digest: Uint8Array;
      readonly block: Block;
      readonly stored: boolean;
      readonly certificate: Certificate;
    }
  | { readonly type: 'evidence'; readonly first: Vote; readonly second: Vote }
  | { readonly type: 'sync'; readonly peer: Uint8Array; readonly height: number }
  | { readonly type: 'audit'; readonly peer: Uint8Array; readonly height: number }
  | { readonly type: 'violation'; readonly height: number; readonly first: Uint8Array; readonly second: Uint8Array }
  | { readonly type: 'round'; readonly height: number; readonly round: number; readonly leader: Uint8Array };

/** What a machine says of itself. */
export interface MachineView {
  readonly height: number;
  readonly round: number;
  /** V(height), public keys in hex. */
  readonly validators: readonly string[];
  /** leader(height, 0), public key in hex. */
  readonly leader: string;
  /** Why nothing is decided, for people. */
  readonly waiting: string;
}

/** A buffer of the machine, how much it holds and how much it may hold. */
export interface MachineBuffer {
  readonly name: string;
  readonly size: number;
  readonly limit: number;
}

/**
 * The machine under simulation: a QBFT machine with these inputs, effects and messages. `@it-chain/plugin-consensus` has
 * this shape; it is handed in, so that the testkit depends on no plugin and another engine of the same shape can be
 * simulated too.
 */
export interface ConsensusMachine<State> {
  /** The state of a machine before its first input. */
  create(options: MachineOptions): State;
  /** One synchronous step. Must neither change nor keep changing what it is given. */
  step(state: State, input: MachineInput): MachineEffect[];
  /** What the invariants look at. */
  view(state: State): MachineView;
  /** Everything that grows, for the invariant `boundedness`. */
  buffers(state: State): readonly MachineBuffer[];
  /** What a ROUND_CHANGE signs as its digest. */
  claimDigest(prepared: PreparedClaim | undefined): Uint8Array;
  /** The bytes that the signature of a vote covers. */
  signedBytes(network: Uint8Array, vote: Vote): Uint8Array;
  /** Every vote in a message whose signature must be valid. */
  votesIn(message: Message): readonly Vote[];
  /** A message as it goes to peers. `attempt` numbers its repetitions. */
  encode(message: Message, network: Uint8Array, attempt: number): Uint8Array;
  /** Undefined for a kind that it does not know. Throws an ItChainError for bytes that are no message. */
  decode(
    bytes: Uint8Array,
  ): { readonly network: Uint8Array; readonly attempt: number; readonly content: Message } | undefined;
}
