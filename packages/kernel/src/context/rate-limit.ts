import type { Clock } from '@it-chain/contracts';

/** So many a second, as many at once after a quiet second. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #left: number;
  #at: number;

  constructor(options: { readonly perSecond: number }, dependencies: { readonly clock: Pick<Clock, 'monotonic'> }) {
    this.#perSecond = options.perSecond;
    this.#clock = dependencies.clock;
    this.#left = options.perSecond;
    this.#at = dependencies.clock.monotonic();
  }

  /** True where one more is allowed now; then it counts. */
  take(): boolean {
    const now = this.#clock.monotonic();
    this.#left = Math.min(this.#perSecond, this.#left + ((now - this.#at) / 1_000) * this.#perSecond);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
