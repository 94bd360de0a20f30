import type { Clock } from '@it-chain/contracts';

/** What came of waiting: the value, or that the limit passed first. */
export type Limited<T> = { readonly value: T } | { readonly timedOut: true };

/** Waits for `work`, at most `limitMs`. A rejection passes through; one that comes after the limit is dropped. */
export async function withLimit<T>(
  work: T | PromiseLike<T>,
  limitMs: number,
  clock: Clock,
): Promise<Limited<Awaited<T>>> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(limitMs, () => {
      resolve({ timedOut: true });
    });
    Promise.resolve(work).then(
      (value) => {
        cancel();
        resolve({ value });
      },
      (error: unknown) => {
        cancel();
        // The rejection of a stranger may be anything; it is passed on as it came.
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
        reject(error);
      },
    );
  });
}
