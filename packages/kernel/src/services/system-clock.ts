import type { Cancel, Clock } from '@it-chain/contracts';

/** The longest wait of one Node timer; longer waits are made of several. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** The clock of the machine: `Date` for the wall, `performance` for time that never goes back. */
export class SystemClock implements Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  after(ms: number, run: () => void): Cancel {
    if (ms > LONGEST_TIMER_MS) return this.#afterLong(ms, run);
    const timer = setTimeout(run, ms);
    return () => {
      clearTimeout(timer);
    };
  }

  every(ms: number, run: () => void): Cancel {
    const timer = setInterval(run, Math.min(ms, LONGEST_TIMER_MS));
    return () => {
      clearInterval(timer);
    };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted === true) {
        resolve();
        return;
      }
      const done = (): void => {
        cancel();
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const cancel = this.after(ms, done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }

  #afterLong(ms: number, run: () => void): Cancel {
    let cancel = this.after(LONGEST_TIMER_MS, () => {
      cancel = this.after(ms - LONGEST_TIMER_MS, run);
    });
    return () => {
      cancel();
    };
  }
}
