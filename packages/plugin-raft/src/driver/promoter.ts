import {
  nodeIdOf,
  ownTransaction,
  toHex,
  type ChainTip,
  type Genesis,
  type PluginContext,
  type TxPool,
} from '@it-chain/contracts';
import type { RaftConfig } from '../raft-config.js';

/** Heights after which an unused promotion is void. */
const PROMOTION_WINDOW = 1_000;
/** Heights that a caught-up learner may be behind. */
const CAUGHT_UP = 2;

/** Proposes learners that have caught up as validators, while this node leads. */
export class Promoter {
  readonly #context: PluginContext<RaftConfig>;
  readonly #txpool: TxPool;
  readonly #genesis: Genesis;
  readonly #network: Uint8Array;
  readonly #healthySince = new Map<string, number>();
  #quietUntil = 0;

  constructor(
    options: { readonly genesis: Genesis; readonly network: Uint8Array },
    dependencies: { readonly context: PluginContext<RaftConfig>; readonly txpool: TxPool },
  ) {
    this.#genesis = options.genesis;
    this.#network = options.network;
    this.#context = dependencies.context;
    this.#txpool = dependencies.txpool;
  }

  /** Looks at the learners; called now and then by whoever leads. */
  async run(tip: ChainTip, heights: ReadonlyMap<string, number>): Promise<void> {
    const { healthyMs, retryMs, enabled } = this.#context.config.promotion;
    const now = this.#context.clock.monotonic();
    const healthy = tip.learners
      .map(({ publicKey }) => publicKey)
      .filter((key) => this.#isHealthy(toHex(key), now, tip.height, heights, healthyMs));
    for (const key of this.#healthySince.keys()) {
      if (!tip.learners.some(({ publicKey }) => toHex(publicKey) === key)) this.#healthySince.delete(key);
    }
    const chosen = this.#choose(tip, healthy);
    if (!enabled || chosen.length === 0 || now < this.#quietUntil) return;
    this.#quietUntil = now + retryMs;
    const { entries } = await this.#txpool.submit({ transactions: [await this.#sign(tip.height, chosen)] });
    const { state, code } = entries[0] ?? {};
    this.#context.log.info('proposed learners as validators', { nodes: chosen.map(nodeIdOf), state, code });
  }

  #isHealthy(key: string, now: number, tip: number, heights: ReadonlyMap<string, number>, healthyMs: number): boolean {
    const height = heights.get(key);
    if (height === undefined || tip - height > CAUGHT_UP) {
      this.#healthySince.delete(key);
      return false;
    }
    const since = this.#healthySince.get(key) ?? now;
    this.#healthySince.set(key, since);
    return now - since >= healthyMs;
  }

  /** `skip-two`: from one validator to three at once, then one at a time, so that no change leaves two. */
  #choose(tip: ChainTip, healthy: readonly Uint8Array[]): Uint8Array[] {
    if ((tip.growth ?? this.#genesis.growth) === 'immediate') return healthy.slice(0, 100);
    if (tip.nextValidators.validators.length === 1) return healthy.length >= 2 ? healthy.slice(0, 2) : [];
    return healthy.slice(0, 1);
  }

  #sign(height: number, publicKeys: readonly Uint8Array[]): Promise<Uint8Array> {
    const expiresAt = height + Math.min(this.#genesis.window, PROMOTION_WINDOW);
    return ownTransaction(this.#context, {
      network: this.#network,
      expiresAt,
      membership: { promote: { publicKeys } },
    });
  }
}
