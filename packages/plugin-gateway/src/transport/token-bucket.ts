/** A rate limit that is kept by waiting: whoever took too much owes time. Pure; the caller brings the time. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #at: number | undefined;

  /** `perSecond` tokens come back each second, up to `burst` (default: those of one second). */
  constructor(perSecond: number, burst = perSecond) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** Takes `amount` at the monotonic time `now` (ms) and answers how long to wait until nothing is owed, in ms. */
  take(amount: number, now: number): number {
    const passed = this.#at === undefined ? 0 : Math.max(0, now - this.#at);
    this.#at = now;
    this.#tokens = Math.min(this.#burst, this.#tokens + (passed * this.#perSecond) / 1_000) - amount;
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1_000) / this.#perSecond;
  }
}
