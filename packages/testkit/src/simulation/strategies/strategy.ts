import type { Block, ChainTip } from '@it-chain/contracts';
import type { ConsensusMachine, Message, PreparedClaim, Vote } from '../machine.js';
import type { Random } from '../random.js';
import type { CommittedBlock } from '../stub-chain.js';

/** What a Byzantine node can do: anything, but sign as others. */
export interface Actor {
  readonly identity: number;
  /** Its join sequence number, by which validator sets name it. */
  readonly sequence: number;
  readonly random: Random;
  readonly network: Uint8Array;
  readonly tip: ChainTip;
  /** Identities of all other nodes. */
  readonly others: readonly number[];
  /** Messages that it received, the latest last. */
  readonly heard: readonly Message[];
  readonly machine: Pick<ConsensusMachine<unknown>, 'claimDigest' | 'encode' | 'decode'>;
  /** A vote of this node with a valid signature. */
  sign(vote: Pick<Vote, 'type' | 'height' | 'round' | 'digest'>): Vote;
  /** A valid block of this node on its tip; another one with each call. */
  block(transactions?: readonly Uint8Array[]): { readonly block: Block; readonly digest: Uint8Array };
  /** Sends to one node, past {@link Strategy.alter}. */
  send(to: number, message: Message, attempt?: number): void;
}

/**
 * A Byzantine node runs the correct machine and lies on the way out. All its states live in the instance: each node of
 * each run gets its own.
 */
export abstract class Strategy {
  abstract readonly name: string;

  /** What `to` is sent in place of a message; nothing where it is empty. Without it: the message. */
  alter?(message: Message, to: number, actor: Actor): readonly Message[];

  /** Called about ten times a second: what it says without being asked. */
  act?(actor: Actor): void;

  /** Whether its blocks may hold a transaction. Without it: all. */
  admit?(transaction: string): boolean;

  /** What it answers when it is asked for blocks; undefined: nothing, for ever. Without it: the blocks. */
  answer?(blocks: readonly CommittedBlock[], actor: Actor): readonly CommittedBlock[] | undefined;
}

/** A ROUND_CHANGE of the actor with this claim. */
export function roundChangeOf(
  actor: Actor,
  height: number,
  round: number,
  prepared?: PreparedClaim,
  block?: Block,
  prepares: readonly Vote[] = [],
): Message {
  const digest = actor.machine.claimDigest(prepared);
  return {
    kind: 'round-change',
    vote: actor.sign({ type: 'round-change', height, round, digest }),
    prepared,
    block,
    prepares,
  };
}
