/** Longest time a timer of Node takes; later deadlines are reached in steps. */
const LONGEST = 0x7fffffff;

/** A timer for one deadline that does not keep the process alive. Times are those of `performance.now()`. */
export class AlarmClock {
  #timer: NodeJS.Timeout | undefined;
  #at = 0;
  readonly #ring: () => void;

  constructor(ring: () => void) {
    this.#ring = ring;
  }

  /** Rings at that time, or earlier when an earlier time was set before. The listener checks what is due. */
  ringBy(at: number): void {
    if (this.#timer !== undefined && this.#at <= at) return;
    this.stop();
    this.#at = at;
    const delay = Math.min(LONGEST, Math.max(1, Math.ceil(at - performance.now())));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (performance.now() < this.#at) this.ringBy(this.#at);
      else this.#ring();
    }, delay);
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
