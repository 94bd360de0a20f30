import { toHex, type ChainTip, type EquivocationEvidence } from '@it-chain/contracts';
import type { Hex } from '../machine/state.js';
import type { KeptEvidence } from './evidence-store.js';

/** When evidence is made a transaction. */
export interface AccusationOptions {
  /** How long one accusation is waited for before the next, and how long it is left to the leader, in ms. */
  readonly retryMs: number;
  /** Accusations of one validator by this node. */
  readonly maxTries: number;
}

/**
 * Decides which kept evidence this node makes a transaction of, so that it evicts its signer. Pure: told the time, the tip
 * and what is kept. First by whoever leads; where the leader is the accused, or has done nothing for a while, by anybody.
 */
export class Accusation {
  readonly #options: AccusationOptions;
  /** By accused validator. */
  readonly #tries = new Map<Hex, { readonly count: number; readonly next: number }>();

  constructor(options: AccusationOptions) {
    this.#options = options;
  }

  /**
   * The evidence to make a transaction of now.
   * @param now ms of the monotonic clock
   * @param kept the latest first: of each validator that one is taken
   */
  due(
    now: number,
    { tip, self, leader }: { readonly tip: ChainTip; readonly self: Hex; readonly leader: Hex },
    kept: readonly KeptEvidence[],
  ): EquivocationEvidence | undefined {
    const { retryMs, maxTries } = this.#options;
    const validators = new Set(tip.nextValidators.validators.map(({ publicKey }) => toHex(publicKey)));
    for (const accused of this.#tries.keys()) if (!validators.has(accused)) this.#tries.delete(accused);
    if (!validators.has(self)) return undefined;
    for (const { evidence } of kept) {
      const accused = toHex(evidence.publicKey);
      if (!validators.has(accused) || accused === self) continue;
      const made = this.#tries.get(accused) ?? { count: 0, next: now + retryMs };
      this.#tries.set(accused, made);
      const isOurs = made.count === 0 && (leader === self || leader === accused);
      if (made.count < maxTries && (isOurs || now >= made.next)) return evidence;
    }
    return undefined;
  }

  /** Notes that a transaction was made of it, so that none is made again at once. */
  accused(now: number, { publicKey }: EquivocationEvidence): void {
    const accused = toHex(publicKey);
    this.#tries.set(accused, { count: (this.#tries.get(accused)?.count ?? 0) + 1, next: now + this.#options.retryMs });
  }
}
