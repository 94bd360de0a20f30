import { GROWTHS, toHex, type ChainTip, type Genesis } from '@it-chain/contracts';

/** When learners are proposed as validators. Times in ms. */
export interface PromotionOptions {
  /** What the genesis says; the tip says where a vote has changed it. */
  readonly growth: Genesis['growth'];
  readonly healthyMs: number;
  readonly retryMs: number;
}

/** Heights that a caught-up learner may be behind. */
const CAUGHT_UP = 2;

/** Decides which learners have earned their vote. Pure: told the time, the tip and where peers are. */
export class Promotion {
  readonly #options: PromotionOptions;
  readonly #healthySince = new Map<string, number>();
  #pending: { readonly keys: ReadonlySet<string>; readonly until: number } | undefined;

  constructor(options: PromotionOptions) {
    if (!GROWTHS.includes(options.growth)) throw new RangeError(`growth "${options.growth}" is not known`);
    this.#options = options;
  }

  /** Notes how the learners do. `lags`: heights that each peer was behind at its last STATUS, by public key in hex. */
  observe(now: number, tip: ChainTip, lags: ReadonlyMap<string, { readonly lag: number }>): void {
    const learners = new Set(tip.learners.map(({ publicKey }) => toHex(publicKey)));
    for (const key of this.#healthySince.keys()) if (!learners.has(key)) this.#healthySince.delete(key);
    for (const key of learners) {
      const lag = lags.get(key)?.lag;
      if (lag === undefined || lag > CAUGHT_UP) this.#healthySince.delete(key);
      else if (!this.#healthySince.has(key)) this.#healthySince.set(key, now);
    }
    // What was asked for has happened once none of them is a learner any more.
    if (this.#pending !== undefined && ![...this.#pending.keys].some((key) => learners.has(key)))
      this.#pending = undefined;
  }

  /** The public keys to propose now; empty where none is due or a proposal is under way. */
  due(now: number, tip: ChainTip): Uint8Array[] {
    if (this.#pending !== undefined && now < this.#pending.until) return [];
    const healthy = tip.learners
      .map(({ publicKey }) => publicKey)
      .filter((key) => now - (this.#healthySince.get(toHex(key)) ?? now) >= this.#options.healthyMs);
    return choose(tip.growth ?? this.#options.growth, tip.nextValidators.validators.length, healthy);
  }

  /** Notes that these were proposed, so that they are not proposed again at once. */
  proposed(now: number, keys: readonly Uint8Array[]): void {
    this.#pending = { keys: new Set(keys.map(toHex)), until: now + this.#options.retryMs };
  }
}

/** `skip-two`: from one validator to three at once, then one at a time, so that no change ever leaves two. */
function choose(growth: Genesis['growth'], validators: number, healthy: readonly Uint8Array[]): Uint8Array[] {
  if (growth === 'immediate') return healthy.slice(0, 100);
  if (validators === 1) return healthy.length >= 2 ? healthy.slice(0, 2) : [];
  return healthy.slice(0, 1);
}
