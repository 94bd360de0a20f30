import { performance } from 'node:perf_hooks';

/** How fast a user publishes, over all its connections: so many messages a second, as many at once after a quiet second. */
export class PublishRate {
  readonly #perSecond: number;
  /** Messages above what the time so far allowed. */
  #owed = 0;
  #at = performance.now();

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Notes messages that were published; gives the ms for which nothing more may be read from whoever did. */
  add(count: number): number {
    const now = performance.now();
    this.#owed = Math.max(0, this.#owed - ((now - this.#at) / 1000) * this.#perSecond) + count;
    this.#at = now;
    return Math.max(0, ((this.#owed - this.#perSecond) / this.#perSecond) * 1000);
  }
}
