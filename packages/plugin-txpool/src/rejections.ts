import type { PoolEntry } from '@it-chain/contracts';
import { keyOf } from './pending-set.js';

interface Remembered {
  readonly entry: PoolEntry;
  /** Where it is stored, for one that had been accepted before. */
  readonly sequence: number | undefined;
}

/** The last rejected transactions and why. Holds only reasons that the id itself fixes for ever. */
export class Rejections {
  readonly #limit: number;
  readonly #byId = new Map<string, Remembered>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): PoolEntry | undefined {
    return this.#byId.get(key)?.entry;
  }

  /** Remembers one; gives back the stored sequences of those that had to make room. */
  add(entry: PoolEntry, sequence?: number): number[] {
    const key = keyOf(entry.id);
    const dropped: number[] = [];
    const before = this.#byId.get(key)?.sequence;
    if (before !== undefined && before !== sequence) dropped.push(before);
    this.#byId.delete(key);
    this.#byId.set(key, { entry, sequence });
    for (const [oldest, { sequence: stored }] of this.#byId) {
      if (this.#byId.size <= this.#limit) break;
      this.#byId.delete(oldest);
      if (stored !== undefined) dropped.push(stored);
    }
    return dropped;
  }
}
