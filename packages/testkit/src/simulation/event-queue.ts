interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** What happens next on simulated time: a binary heap by time, then by order of scheduling. */
export class EventQueue {
  readonly #heap: Scheduled[] = [];
  #order = 0;
  /** Simulated ms since the start. */
  now = 0;
  /** Events that happened. */
  steps = 0;

  /** Events that wait. */
  get length(): number {
    return this.#heap.length;
  }

  /** Runs `run` in `ms` of simulated time. */
  after(ms: number, run: () => void): void {
    const heap = this.#heap;
    const entry = { at: this.now + Math.max(0, ms), order: this.#order++, run };
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above, entry)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  /** Makes the next event happen if it is due by `end`. @returns false where none is; the time is then `end` */
  step(end: number): boolean {
    const next = this.#heap[0];
    if (next === undefined || next.at > end) {
      this.now = Math.max(this.now, end);
      return false;
    }
    this.#pop();
    this.now = next.at;
    this.steps += 1;
    next.run();
    return true;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    const { length } = heap;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= length) break;
      const a = heap[left];
      const b = heap[left + 1];
      const [least, child] = b !== undefined && a !== undefined && isBefore(b, a) ? [b, left + 1] : [a, left];
      if (least === undefined || isBefore(last, least)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Scheduled, b: Scheduled): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
