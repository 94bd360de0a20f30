import type { KeyPair, Session } from '@it-chain/contracts';
import type { ConsensusMessage } from '@it-chain/plugin-consensus';
import { badBlocks, equivocatingLeader, lateLeader } from './leaders.js';
import { replays } from './replays.js';
import { badCertificates, badVotes, doubleVotes } from './votes.js';
import { floods, malformedFrames, slowConnections } from './strangers.js';

/** Something to be said instead of what the machine wanted. */
export interface Saying {
  /** Node ids. */
  readonly to: readonly string[];
  readonly content: ConsensusMessage;
  /** Said for another network. */
  readonly network?: Uint8Array | undefined;
  readonly afterMs?: number | undefined;
}

/** What the machine wanted to say, and to whom. */
export interface Context {
  readonly network: Uint8Array;
  readonly peers: readonly string[];
}

/** What a behaviour may use. */
export interface EvilHands {
  /** The node's own key. */
  readonly keys: () => KeyPair;
  readonly now: () => number;
  readonly random: (length: number) => Uint8Array;
  readonly send: (peers: readonly string[], body: Uint8Array, lane?: 'control' | 'bulk') => Promise<void>;
  readonly sessions: () => Promise<readonly Session[]>;
  readonly fetch: (peer: string, kind: string, body: Uint8Array) => Promise<unknown>;
  /** Counts deeds, so that a test knows that there were some. */
  readonly did: (count?: number) => void;
}

/** One way to be evil, from an order to the next. */
export interface Behaviour {
  /** What is said in the place of a message. */
  readonly speak?: (content: ConsensusMessage, context: Context) => readonly Saying[];
  /** Hears what peers say. */
  readonly hear?: (body: Uint8Array) => void;
  /** Done ten times a second. */
  readonly tick?: () => Promise<void>;
}

/** All behaviours by the id of their scenario. */
export const behaviours: Readonly<Record<string, (hands: EvilHands) => Behaviour>> = {
  B1: equivocatingLeader,
  B2: doubleVotes,
  B3: badVotes,
  B4: replays,
  B5: badCertificates,
  B6: badBlocks,
  B7: lateLeader,
  B8: malformedFrames,
  B9: slowConnections,
  B10: floods,
};
