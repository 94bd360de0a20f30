import type { Cancel, Clock } from '@it-chain/contracts';
import { SystemClock } from '@it-chain/kernel';

/** The machine's clock, which knows what is still pending on it. */
export class TrackingClock implements Clock {
  readonly #clock = new SystemClock();
  readonly #pending = new Set<string>();
  #count = 0;

  /** What waits: `after 500 ms`, one entry each. */
  get pending(): readonly string[] {
    return [...this.#pending].map((entry) => entry.replace(/^\d+ /, ''));
  }

  now(): number {
    return this.#clock.now();
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  after(ms: number, run: () => void): Cancel {
    const done = this.#note(`after ${ms} ms`);
    const cancel = this.#clock.after(ms, () => {
      done();
      run();
    });
    return () => {
      done();
      cancel();
    };
  }

  every(ms: number, run: () => void): Cancel {
    const done = this.#note(`every ${ms} ms`);
    const cancel = this.#clock.every(ms, run);
    return () => {
      done();
      cancel();
    };
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const done = this.#note(`sleep of ${ms} ms`);
    await this.#clock.sleep(ms, signal);
    done();
  }

  #note(what: string): () => void {
    const entry = `${this.#count++} ${what}`;
    this.#pending.add(entry);
    return () => {
      this.#pending.delete(entry);
    };
  }
}
