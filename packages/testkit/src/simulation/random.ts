/** A seeded generator (mulberry32): the same seed gives the same run on every machine. */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  /** 0 <= x < 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }
  /** A whole number, 0 <= x < limit. */
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }
  /** low <= x < high. */
  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }
  /** True with this probability, 0 to 1. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }
  /** One of `items`. @throws RangeError where there is none */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }
  /** The items in another order. */
  shuffle<T>(items: readonly T[]): T[] {
    const rest = [...items];
    const out: T[] = [];
    while (rest.length > 0) out.push(...rest.splice(this.below(rest.length), 1));
    return out;
  }
  /** A generator of its own for one purpose, so that what one part draws does not move the others. */
  fork(purpose: number): Random {
    return new Random((this.#state ^ Math.imul(purpose + 1, 0x9e3779b1)) >>> 0);
  }
}
