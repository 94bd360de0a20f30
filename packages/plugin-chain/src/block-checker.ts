import {
  bodyProblem,
  failure,
  headerProblem,
  messageOf,
  sameBytes,
  toHex,
  transactionProblem,
  transactionSigningBytes,
  type Block,
  type Clock,
  type DecodedTransaction,
  type Log,
  type SignatureCheck,
  type TxPool,
} from '@it-chain/contracts';
import { LRUCache } from 'lru-cache';
import { type BlockExecutor, type Executed } from './block-executor.js';
import { positionOf, type ChainState } from './chain-state.js';
import type { ChainStore } from './chain-store.js';
import { readBlock, readTransactions, sameBlock, type ReadBlock } from './read-block.js';

/** A block of the next height that keeps every rule. */
export interface CheckedBlock extends ReadBlock {
  readonly transactions: readonly DecodedTransaction[];
  /** Length of the encoded body, once it is stored. */
  bodyBytes?: number | undefined;
  executed?: Executed | undefined;
}

/** A rule that a block breaks. `diverged`: only the state root before the block is another one. */
export interface BrokenRule {
  readonly rule: string;
  readonly digest: Uint8Array | undefined;
  readonly diverged: boolean;
}

/** What the checks need of the rest of the node. */
export interface CheckerDependencies {
  readonly store: ChainStore;
  readonly executor: BlockExecutor;
  readonly pool: TxPool;
  readonly clock: Clock;
  readonly log: Log;
  readonly verify: (checks: readonly SignatureCheck[]) => Promise<boolean[]>;
}

/**
 * Checks blocks of the next height against all rules. What passed is kept by its digest together with its bytes; what
 * failed is not kept at all, since another body with the same header may be the right one.
 */
export class BlockChecker {
  readonly #futureMs: number;
  readonly #dependencies: CheckerDependencies;
  readonly #checked: LRUCache<string, CheckedBlock>;

  constructor(
    options: { readonly futureMs: number; readonly checkedBlocks: number },
    dependencies: CheckerDependencies,
  ) {
    this.#futureMs = options.futureMs;
    this.#dependencies = dependencies;
    this.#checked = new LRUCache({ max: options.checkedBlocks });
  }

  /** The block of a digest that was built or checked here for the open height. */
  known(digest: Uint8Array): CheckedBlock | undefined {
    return this.#checked.get(toHex(digest));
  }

  /** Keeps a block that this node built of transactions its own pool has verified. */
  keep(block: CheckedBlock): void {
    this.#checked.set(toHex(block.digest), block);
  }

  /** Drops everything: the height is decided, or the network another one. */
  forget(): void {
    this.#checked.clear();
  }

  /**
   * A time in the future, but for the earliest one that the parent leaves: after clocks that were ahead have been put
   * right, the chain would else stand still until time has caught up with it.
   */
  #isEarly(time: number, parentTime: number): boolean {
    return time > this.#dependencies.clock.now() + this.#futureMs && time > parentTime + 1;
  }

  /** All rules but the dry run. `fresh` compares the time of the header with the clock. Never throws for a bad block. */
  async check(state: ChainState, block: Block, fresh: boolean): Promise<CheckedBlock | BrokenRule> {
    const read = readBlock(block, state.network);
    if (typeof read === 'string') return { rule: read, digest: undefined, diverged: false };
    const broken = (rule: string, diverged = false): BrokenRule => ({ rule, digest: read.digest, diverged });
    if (fresh && this.#isEarly(read.header.time, state.tip.time)) {
      return broken(`time ${read.header.time} lies more than ${this.#futureMs} ms in the future`);
    }
    const known = this.known(read.digest);
    if (known !== undefined && sameBlock(known.block, block)) return known;
    const rule =
      headerProblem(read.header, positionOf(state)) ??
      bodyProblem(read.header, block.transactions, read.ids, state.genesis) ??
      (await this.#repeated(read));
    if (rule !== undefined) return broken(rule);
    if (!sameBytes(read.header.previousStateRoot, state.tip.stateRoot)) {
      return broken(
        `state root ${toHex(read.header.previousStateRoot)} before the block where it is ${toHex(state.tip.stateRoot)} here`,
        true,
      );
    }
    const transactions = await this.#transactions(read, state);
    if (typeof transactions === 'string') return broken(transactions);
    const checked: CheckedBlock = { ...read, transactions };
    this.keep(checked);
    return checked;
  }

  /** The dry run of a checked block, done once. */
  async execute(state: ChainState, block: CheckedBlock): Promise<Executed> {
    block.executed ??= await this.#dependencies.executor.execute(state, block.header, block.transactions);
    return block.executed;
  }

  /** Stores the body of a checked block, once. */
  async storeBody(block: CheckedBlock): Promise<void> {
    block.bodyBytes ??= await this.#dependencies.store.storeBody(block);
  }

  async #repeated({ ids }: ReadBlock): Promise<string | undefined> {
    const locations = await this.#dependencies.store.locations(ids);
    const at = locations.findIndex((location) => location !== undefined);
    return at < 0 ? undefined : `transaction ${at} was committed at height ${locations[at]?.height ?? 0}`;
  }

  async #transactions(read: ReadBlock, state: ChainState): Promise<DecodedTransaction[] | string> {
    const known = await this.#verifiedInPool(read.ids);
    const transactions = readTransactions(read, known);
    if (typeof transactions === 'string') return transactions;
    const checks: SignatureCheck[] = [];
    for (const [index, { encoded, value }] of transactions.entries()) {
      const problem = transactionProblem(value, read.header.height, state.network, state.genesis.window);
      if (problem !== undefined) return `transaction ${index}: ${problem}`;
      const pooled = known[index];
      if (pooled !== undefined && sameBytes(pooled, encoded)) continue;
      const message = transactionSigningBytes(encoded, state.network);
      checks.push({ publicKey: value.sender, message, signature: value.signature });
    }
    if (checks.length === 0) return transactions;
    const verdicts = await this.#dependencies.verify(checks);
    const wrong = checks.filter((_, index) => verdicts[index] !== true).length;
    return wrong === 0 ? transactions : `${wrong} transactions without a valid signature`;
  }

  /** What the pool has verified need not be verified again. Without a pool everything is verified here. */
  async #verifiedInPool(ids: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    if (ids.length === 0) return [];
    try {
      const { transactions } = await this.#dependencies.pool.have({ ids });
      return transactions.map((encoded) => (encoded.length === 0 ? undefined : encoded));
    } catch (error) {
      this.#dependencies.log.debug('the pool does not say what it holds', { reason: messageOf(error) });
      return [];
    }
  }
}

/** True for the outcome of a check that found a broken rule. */
export const isBroken = (outcome: CheckedBlock | BrokenRule): outcome is BrokenRule => 'rule' in outcome;

/** The error for a broken rule. */
export const brokenRule = (height: number, rule: string): Error =>
  failure('ERR_BLOCK_INVALID', `block ${height}: ${rule}`);
