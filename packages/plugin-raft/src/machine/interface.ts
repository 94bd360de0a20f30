import type { Block, Certificate, ChainTip } from '@it-chain/contracts';

/** What is fixed for the life of a machine. Times in ms. */
export interface RaftOptions {
  /** Public key of this node, hex. */
  readonly self: string;
  /** Heights after which the lead moves on; 0 = sticky. */
  readonly leaderTerm: number;
  /** How long a follower with work waits for its leader before it asks whether others miss it, too. */
  readonly electionMs: number;
  /** Each further validator behind the leader waits this much longer, so that candidates do not meet. */
  readonly staggerMs: number;
  /** No wait for an election is longer. */
  readonly maxElectionMs: number;
  /** A leader sends its block again this often to those that have not answered. */
  readonly resendMs: number;
}

/** A vote or an accepted block: on disk before anybody hears of it. */
export type RaftRecord =
  | { readonly kind: 'vote'; readonly height: number; readonly round: number; readonly candidate: string }
  | {
      readonly kind: 'accept';
      readonly height: number;
      readonly round: number;
      readonly digest: string;
      readonly block: Block;
    };

/** What nodes say to each other. Sessions are authenticated, so the sender is known; only an acknowledgement is signed. */
export type RaftMessage =
  /** The leader of the round wants this block accepted. */
  | {
      readonly kind: 'append';
      readonly height: number;
      readonly round: number;
      readonly digest: string;
      readonly block: Block;
    }
  /** Accepted, on disk. The signature is a COMMIT seal: it goes into the certificate. */
  | {
      readonly kind: 'ack';
      readonly height: number;
      readonly round: number;
      readonly digest: string;
      readonly signature: Uint8Array;
    }
  /** Not accepted: this node has promised a higher round. */
  | { readonly kind: 'refuse'; readonly height: number; readonly round: number }
  /** Would you vote for me? `accepted`: the round of the block I accepted, -1 for none. Changes nothing. */
  | { readonly kind: 'pre-vote'; readonly height: number; readonly round: number; readonly accepted: number }
  | {
      readonly kind: 'pre-vote-answer';
      readonly height: number;
      readonly round: number;
      /** The round that the answering node has promised. */
      readonly promised: number;
      readonly granted: boolean;
    }
  | { readonly kind: 'vote'; readonly height: number; readonly round: number; readonly accepted: number }
  | { readonly kind: 'vote-answer'; readonly height: number; readonly round: number; readonly granted: boolean }
  /** Decided: whoever has the block may commit it. */
  | { readonly kind: 'decided'; readonly certificate: Certificate }
  /** The height of the sender's tip. */
  | { readonly kind: 'status'; readonly height: number };

/** Names of timers: there is one of each at a time. */
export type RaftTimer = 'election' | 'resend';

/** What a machine is told. */
export type RaftInput =
  /** First of all: the tip, and what is in the log for the height above it. */
  | { readonly type: 'start'; readonly tip: ChainTip; readonly records: readonly RaftRecord[] }
  | { readonly type: 'message'; readonly from: string; readonly message: RaftMessage }
  /** A record is on disk; with the signature of an accepted block. */
  | { readonly type: 'written'; readonly record: RaftRecord; readonly signature: Uint8Array }
  /** The signing guard refused it: this key has promised otherwise, before it lost its log. */
  | { readonly type: 'refused'; readonly record: RaftRecord }
  | { readonly type: 'timeout'; readonly timer: RaftTimer }
  /** Whether transactions wait here, and whether the session to the leader has been down for long. */
  | { readonly type: 'work'; readonly pooled: boolean; readonly leaderDown: boolean }
  /** The answer to `build`; without a block it failed and is asked for again. */
  | {
      readonly type: 'built';
      readonly height: number;
      readonly round: number;
      readonly digest?: string | undefined;
      readonly block?: Block | undefined;
    }
  /** The answer to `check`. */
  | {
      readonly type: 'checked';
      readonly height: number;
      readonly round: number;
      readonly digest: string;
      readonly valid: boolean;
    }
  /** The tip has moved: by `decide` or by sync. */
  | { readonly type: 'committed'; readonly tip: ChainTip }
  | { readonly type: 'connected'; readonly peer: string }
  | { readonly type: 'disconnected'; readonly peer: string };

/** What a machine wants done, in this order. */
export type RaftEffect =
  /** Write the record, synced, and sign what it is; only then tell the machine `written`. One after the other. */
  | { readonly type: 'write'; readonly record: RaftRecord }
  | { readonly type: 'send'; readonly to: readonly string[]; readonly message: RaftMessage }
  | { readonly type: 'set-timer'; readonly timer: RaftTimer; readonly ms: number }
  | { readonly type: 'clear-timer'; readonly timer: RaftTimer }
  | { readonly type: 'build'; readonly height: number; readonly round: number }
  | {
      readonly type: 'check';
      readonly height: number;
      readonly round: number;
      readonly digest: string;
      readonly block: Block;
    }
  /** Commit. The block is absent where this node has only heard that it was decided: the chain may have its body. */
  | { readonly type: 'decide'; readonly certificate: Certificate; readonly block?: Block | undefined }
  /** This peer says that it is ahead. */
  | { readonly type: 'sync'; readonly peer: string; readonly height: number }
  /** Height, round or leader is another one. */
  | { readonly type: 'round'; readonly height: number; readonly round: number; readonly leader: string };
