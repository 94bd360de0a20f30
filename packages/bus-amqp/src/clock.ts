import type { Clock } from '@it-chain/contracts';

/** The clock of the machine, for programs that hand in none. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(ms, 0x7fffffff));
    return () => {
      clearTimeout(timer);
    };
  },
  every: (ms, run) => {
    const timer = setInterval(run, ms);
    return () => {
      clearInterval(timer);
    };
  },
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      if (signal?.aborted === true) end();
      else signal?.addEventListener('abort', end, { once: true });
    }),
};

/** Waits for `done`, at most so long. */
export function within(clock: Clock, timeoutMs: number, done: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(timeoutMs, resolve);
    const end = (): void => {
      cancel();
      resolve();
    };
    void done.then(end, end);
  });
}
