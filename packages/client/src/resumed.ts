import { isItChainError } from '@it-chain/contracts';

/** How a stream is opened again. */
export interface ResumeOptions {
  readonly signal?: AbortSignal | undefined;
  /** False = the first failure ends it. Default true. */
  readonly resume?: boolean | undefined;
  /** Pause before the stream is opened again, in ms; doubled up to 20 times of it. Default 100. */
  readonly pauseMs?: number | undefined;
}

/**
 * What `open` streams, opened again whenever it fails in a way that passes: the node restarted, or cut a slow reader. Ends
 * when a stream ends by itself or the signal aborts. No limit on attempts: whoever asks has a signal.
 * @throws ERR_CLI_CANNOT_CONNECT when the node could not be reached even once
 */
export async function* resumed<T>(
  open: () => AsyncIterable<T>,
  { signal, resume = true, pauseMs = 100 }: ResumeOptions = {},
): AsyncGenerator<T, void> {
  let pause = pauseMs;
  let reached = false;
  while (signal?.aborted !== true) {
    try {
      for await (const item of open()) {
        reached = true;
        pause = pauseMs;
        yield item;
      }
      return;
    } catch (error) {
      if (!resume || !passes(error)) throw error;
      if (!reached && error.code === 'ERR_CLI_CANNOT_CONNECT') throw error;
      await sleep(pause, signal);
      pause = Math.min(pause * 2, pauseMs * 20);
    }
  }
}

function passes(error: unknown): error is Error & { readonly code: string } {
  return isItChainError(error) && (error.retryable || error.code === 'ERR_API_SLOW_SUBSCRIBER');
}

/** Resolves after `ms`, or when the signal aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal?.addEventListener('abort', finish);
  });
}
