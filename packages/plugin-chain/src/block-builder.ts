import {
  BlockHeader,
  Transaction,
  failure,
  headerDigest,
  messageOf,
  transactionId,
  transactionProblem,
  transactionRootOf,
  validatorIndex,
  validatorSetHash,
  type Clock,
  type DecodedTransaction,
  type Log,
  type NodeIdentity,
  type TxPool,
} from '@it-chain/contracts';
import type { CheckedBlock } from './block-checker.js';
import type { ChainState } from './chain-state.js';
import type { ChainStore } from './chain-store.js';

/** What building needs of the rest of the node. */
export interface BuilderDependencies {
  readonly store: ChainStore;
  readonly pool: TxPool;
  readonly clock: Clock;
  readonly log: Log;
  /** Asked for its key when a block is built: in a process without the key it is not known before. */
  readonly identity: Pick<NodeIdentity, 'publicKey'>;
}

/** Makes the next block from the pool. */
export class BlockBuilder {
  readonly #dependencies: BuilderDependencies;

  constructor(dependencies: BuilderDependencies) {
    this.#dependencies = dependencies;
  }

  /** At most `most` transactions. @throws ERR_BLOCK_INVALID where this node is not a validator of the height */
  async build(state: ChainState, most: number): Promise<CheckedBlock> {
    const { identity, clock } = this.#dependencies;
    const { publicKey } = identity;
    const { tip, network } = state;
    const height = tip.height + 1;
    const proposer = tip.validators.validators[validatorIndex(tip.validators, publicKey)];
    if (proposer === undefined) {
      throw failure(
        'ERR_BLOCK_INVALID',
        `block ${height}: this node is not a validator of this height and may not propose`,
      );
    }
    const transactions = await this.#transactions(state, height, most);
    const ids = transactions.map(({ id }) => id);
    const encoded = transactions.map((transaction) => transaction.encoded);
    const header: BlockHeader = {
      version: 1,
      network,
      height,
      previous: tip.digest,
      proposer: publicKey,
      proposerSequence: proposer.sequence,
      time: Math.max(clock.now(), tip.time + 1),
      transactionRoot: transactionRootOf(ids, encoded),
      transactionCount: encoded.length,
      previousStateRoot: tip.stateRoot,
      validators: validatorSetHash(tip.validators),
      nextValidators: validatorSetHash(tip.nextValidators),
    };
    const headerBytes = BlockHeader.encode(header);
    const digest = headerDigest(headerBytes, network);
    return { block: { header: headerBytes, transactions: encoded }, header, digest, ids, transactions };
  }

  /** What of the pool keeps the rules; the pool has verified the signatures. Without a pool the block is empty. */
  async #transactions(state: ChainState, height: number, most: number): Promise<DecodedTransaction[]> {
    const { pool, log, store } = this.#dependencies;
    const { maxBlockBytes, maxTransactionBytes, window } = state.genesis;
    let offered: readonly Uint8Array[];
    try {
      const request = { maxCount: most, maxBytes: maxBlockBytes, height };
      offered = (await pool.take(request)).transactions;
    } catch (error) {
      log.warn('the pool gave no transactions; the block is empty', { height, reason: messageOf(error) });
      return [];
    }
    const ids = offered.map((encoded) => transactionId(encoded, state.network));
    const locations = await store.locations(ids);
    const seen = new Set<string>();
    const taken: DecodedTransaction[] = [];
    let size = 0;
    for (const [index, encoded] of offered.entries()) {
      const id = ids[index];
      if (id === undefined || locations[index] !== undefined || encoded.length > maxTransactionBytes) continue;
      const key = Buffer.from(id).toString('latin1');
      const value = Transaction.decode(encoded);
      if (seen.has(key) || transactionProblem(value, height, state.network, window) !== undefined) continue;
      if (taken.length >= most || size + encoded.length > maxBlockBytes) break;
      seen.add(key);
      size += encoded.length;
      taken.push({ encoded, value, id });
    }
    if (taken.length < offered.length) {
      log.debug('transactions of the pool were left out', { height, offered: offered.length, taken: taken.length });
    }
    return taken;
  }
}
