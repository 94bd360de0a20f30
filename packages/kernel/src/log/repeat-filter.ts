/** How repeats of one line are limited. */
export interface RepeatLimits {
  /** Lines of one kind that pass within a window. */
  readonly burst: number;
  /** Length of a window, in ms. */
  readonly windowMs: number;
  /** Kinds remembered at once; past it the oldest is forgotten. */
  readonly maxKinds: number;
}

/** What is kept of a line that was held back. */
export interface Held<Line> {
  readonly line: Line;
  readonly count: number;
}

interface Window<Line> {
  readonly since: number;
  passed: number;
  held: number;
  last: Line;
}

/**
 * Lets the first lines of one kind pass and counts the rest of the window; the count comes out once, with the last
 * line held. Pure: the time is an argument.
 */
export class RepeatFilter<Line> {
  readonly #limits: RepeatLimits;
  readonly #windows = new Map<string, Window<Line>>();

  constructor(limits: RepeatLimits) {
    this.#limits = limits;
  }

  /** True where the line may be written now; `ended` is what earlier windows held back, to be written before it. */
  offer(kind: string, line: Line, now: number): { readonly pass: boolean; readonly ended: readonly Held<Line>[] } {
    const ended: Held<Line>[] = [];
    let window = this.#windows.get(kind);
    if (window !== undefined && now - window.since >= this.#limits.windowMs) {
      this.#end(kind, window, ended);
      window = undefined;
    }
    if (window === undefined) {
      this.#forgetOldest(ended);
      window = { since: now, passed: 0, held: 0, last: line };
      this.#windows.set(kind, window);
    }
    if (window.passed < this.#limits.burst) {
      window.passed += 1;
      return { pass: true, ended };
    }
    window.held += 1;
    window.last = line;
    return { pass: false, ended };
  }

  /** Ends the windows that are over, or all of them. */
  sweep(now: number, all = false): readonly Held<Line>[] {
    const ended: Held<Line>[] = [];
    for (const [kind, window] of [...this.#windows]) {
      if (all || now - window.since >= this.#limits.windowMs) this.#end(kind, window, ended);
    }
    return ended;
  }

  #end(kind: string, window: Window<Line>, ended: Held<Line>[]): void {
    this.#windows.delete(kind);
    if (window.held > 0) ended.push({ line: window.last, count: window.held });
  }

  #forgetOldest(ended: Held<Line>[]): void {
    if (this.#windows.size < this.#limits.maxKinds) return;
    const oldest = this.#windows.entries().next().value;
    if (oldest !== undefined) this.#end(oldest[0], oldest[1], ended);
  }
}
