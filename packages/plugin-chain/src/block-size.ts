import type { Genesis } from '@it-chain/contracts';

/** A block is not made smaller than this: fewer transactions cost hardly less than so many. */
const FEWEST = 16;

/**
 * How many transactions the next own block may hold. A block that cannot be made, sent, checked and executed within a
 * round is never decided, however often it is proposed, and while nothing is decided the pool only grows. So each round
 * halves the block; what was decided in a later round is the size to go on from, and full blocks that are decided at once
 * let it grow again, by a quarter each.
 */
export class BlockSize {
  #limit = Number.POSITIVE_INFINITY;

  /** Most transactions of a block for this round. */
  limit({ maxBlockTransactions: most }: Pick<Genesis, 'maxBlockTransactions'>, round: number): number {
    const shrunk = Math.floor(Math.min(most, this.#limit) / 2 ** Math.min(round, 30));
    return Math.min(most, Math.max(FEWEST, shrunk));
  }

  /** A block with so many transactions was decided in this round. */
  decided(genesis: Pick<Genesis, 'maxBlockTransactions'>, round: number, transactions: number): void {
    const present = this.limit(genesis, 0);
    if (round > 0) this.#limit = this.limit(genesis, round);
    else if (transactions >= present) this.#limit = present + Math.ceil(present / 4);
  }
}
