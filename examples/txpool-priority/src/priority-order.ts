/** What the order needs to know of a transaction. */
export interface Ordered {
  /** Grows with every transaction that came. */
  readonly arrival: number;
  readonly sender: string;
  readonly encoded: { readonly length: number };
}

/** How much a block takes, and how it is shared. */
export interface OrderOptions {
  readonly maxCount: number;
  readonly maxBytes: number;
  /** Share of both for those that go first, while others wait. */
  readonly firstShare: number;
  readonly isFirst: (sender: string) => boolean;
}

/**
 * The order of this pool. Senders of the first class go first, up to their share of the block; then the others; then what is
 * left of the first class, if there is room. Within a class senders take turns, each with its own in the order they came: so
 * promise X2 holds within a class, and nobody starves. Pure.
 */
export function inOrder<T extends Ordered>(waiting: Iterable<T>, options: OrderOptions): T[] {
  const { maxCount, maxBytes, firstShare, isFirst } = options;
  const all = [...waiting];
  const first = turns(all.filter(({ sender }) => isFirst(sender)));
  const others = turns(all.filter(({ sender }) => !isFirst(sender)));
  const block = new Filling<T>();
  // At least one, or a small share would never let anything through.
  const share = others.length === 0 ? 1 : firstShare;
  const most = share === 0 ? 0 : Math.max(1, Math.floor(maxCount * share));
  block.fill(first, Math.min(most, maxCount), maxBytes * share);
  block.fill(others, maxCount, maxBytes);
  block.fill(first, maxCount, maxBytes);
  return block.taken;
}

/** One of each sender in turn, senders by the arrival of their oldest, each sender's own in the order they came. */
function turns<T extends Ordered>(waiting: readonly T[]): T[] {
  const bySender = new Map<string, T[]>();
  for (const one of [...waiting].sort((a, b) => a.arrival - b.arrival)) {
    const list = bySender.get(one.sender);
    if (list === undefined) bySender.set(one.sender, [one]);
    else list.push(one);
  }
  const queues = [...bySender.values()];
  const ordered: T[] = [];
  for (let turn = 0; ordered.length < waiting.length; turn += 1) {
    for (const queue of queues) {
      const one = queue[turn];
      if (one !== undefined) ordered.push(one);
    }
  }
  return ordered;
}

class Filling<T extends Ordered> {
  readonly taken: T[] = [];
  readonly #done = new Set<T>();
  #bytes = 0;

  fill(candidates: readonly T[], maxCount: number, maxBytes: number): void {
    // Senders whose next one did not fit: their later ones must not overtake it.
    const blocked = new Set<string>();
    for (const one of candidates) {
      if (this.taken.length >= maxCount) return;
      if (this.#done.has(one) || blocked.has(one.sender)) continue;
      if (this.#bytes + one.encoded.length > maxBytes) {
        blocked.add(one.sender);
        continue;
      }
      this.#bytes += one.encoded.length;
      this.#done.add(one);
      this.taken.push(one);
    }
  }
}
