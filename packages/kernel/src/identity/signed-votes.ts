import { failure, sameBytes, toHex, type VoteContent } from '@it-chain/contracts';
import type { SignedVote } from './vote-record.js';

/** Heights of one network that are kept: the highest signed one and the one below. */
const KEPT_HEIGHTS = 2;
/** Rounds of one height that are kept, from the highest down. A dropped one is refused, never signed again. */
const KEPT_ROUNDS = 64;
/** Networks one key may vote in; a node belongs to one at a time and changes it at most while it founds. */
const MAX_NETWORKS = 1_000;

interface Height {
  highestRound: number;
  /** By `type/round`. */
  readonly votes: Map<string, VoteContent>;
}

interface Network {
  readonly id: Uint8Array;
  highest: number;
  readonly heights: Map<number, Height>;
}

/**
 * Decides which votes may be signed, from those that were. Pure: no file, no key.
 *
 * A vote may be signed when the very same was signed before, or when nothing was signed for its (network, height, round,
 * type) and it goes neither below the highest round signed at its height (R2, R5, R6 and R7 only move up, so a PREPARE or
 * COMMIT below a ROUND_CHANGE would break the promise that this message made) nor below the highest height minus one.
 */
export class SignedVotes {
  readonly #networks = new Map<string, Network>();

  /**
   * `again` for a vote that is noted already, `new` for one that may be noted.
   * @throws ERR_IDENTITY_DOUBLE_SIGN, ERR_IDENTITY_STALE_VOTE, ERR_DATA_INVALID
   */
  judge({ network, vote }: SignedVote): 'again' | 'new' {
    if (vote.type === 'none') throw failure('ERR_DATA_INVALID', 'a vote of the type none is not signed');
    const known = this.#networks.get(toHex(network));
    if (known === undefined) {
      if (this.#networks.size < MAX_NETWORKS) return 'new';
      throw failure('ERR_IDENTITY_STALE_VOTE', `this key has voted in ${MAX_NETWORKS} networks already`);
    }
    if (vote.height <= known.highest - KEPT_HEIGHTS) {
      throw stale(vote, `a vote of height ${known.highest} was signed already`);
    }
    const height = known.heights.get(vote.height);
    if (height === undefined) return 'new';
    const signed = height.votes.get(keyOf(vote));
    if (signed !== undefined) {
      if (sameBytes(signed.digest, vote.digest)) return 'again';
      throw failure(
        'ERR_IDENTITY_DOUBLE_SIGN',
        `another ${vote.type} of height ${vote.height}, round ${vote.round} was signed: ` +
          `${toHex(signed.digest)}, not ${toHex(vote.digest)}`,
        { data: { height: vote.height, round: vote.round, type: vote.type } },
      );
    }
    if (vote.round < height.highestRound) throw stale(vote, `round ${height.highestRound} was signed already`);
    return 'new';
  }

  /** Notes a vote, in the order in which it was judged or read. Drops what lies too far below. */
  note({ network, vote }: SignedVote): void {
    const name = toHex(network);
    const known = this.#networks.get(name) ?? { id: network, highest: vote.height, heights: new Map<number, Height>() };
    this.#networks.set(name, known);
    const height = known.heights.get(vote.height) ?? { highestRound: 0, votes: new Map<string, VoteContent>() };
    known.heights.set(vote.height, height);
    height.votes.set(keyOf(vote), vote);
    if (vote.round > height.highestRound) {
      height.highestRound = vote.round;
      for (const [key, old] of height.votes) if (old.round <= vote.round - KEPT_ROUNDS) height.votes.delete(key);
    }
    if (vote.height > known.highest) {
      known.highest = vote.height;
      for (const old of known.heights.keys()) if (old <= vote.height - KEPT_HEIGHTS) known.heights.delete(old);
    }
  }

  /** What must be kept to decide the same after a restart, in an order that can be noted again. */
  *kept(): Generator<SignedVote> {
    for (const { id, heights } of this.#networks.values()) {
      for (const { votes } of heights.values()) for (const vote of votes.values()) yield { network: id, vote };
    }
  }
}

const keyOf = (vote: VoteContent): string => `${vote.type}/${vote.round}`;

function stale(vote: VoteContent, why: string): Error {
  return failure(
    'ERR_IDENTITY_STALE_VOTE',
    `the ${vote.type} of height ${vote.height}, round ${vote.round} is not signed: ${why}`,
    { data: { height: vote.height, round: vote.round, type: vote.type } },
  );
}
