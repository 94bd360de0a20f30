import { failure } from '@it-chain/contracts';

/** A queue with a limit: past it, whoever takes from it gets ERR_API_SLOW_SUBSCRIBER instead of ever more memory. */
export class BoundedQueue<T> {
  readonly #items: T[] = [];
  readonly #limit: number;
  #overflowed = false;
  #wake: (() => void) | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(item: T): void {
    if (this.#overflowed) return;
    if (this.#items.length >= this.#limit) {
      this.#overflowed = true;
      this.#items.length = 0;
    } else {
      this.#items.push(item);
    }
    this.#wake?.();
  }

  /** The next item, or undefined once the signal aborts. @throws ERR_API_SLOW_SUBSCRIBER after an overflow */
  async take(signal: AbortSignal): Promise<T | undefined> {
    for (;;) {
      if (signal.aborted) return undefined;
      if (this.#overflowed) {
        throw failure('ERR_API_SLOW_SUBSCRIBER', `more than ${this.#limit} events wait for the follower`);
      }
      const item = this.#items.shift();
      if (item !== undefined) return item;
      await new Promise<void>((resolve) => {
        const finish = (): void => {
          this.#wake = undefined;
          signal.removeEventListener('abort', finish);
          resolve();
        };
        this.#wake = finish;
        signal.addEventListener('abort', finish);
      });
    }
  }
}
