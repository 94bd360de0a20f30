import { failure, isItChainError, type BlockReply } from '@it-chain/contracts';
import type { CallOptions, Connection } from './connection.js';

/** How blocks are followed. */
export interface FollowOptions extends CallOptions {
  /** Goes on from the last height when the node goes away or cuts the stream. Default true. */
  readonly resume?: boolean | undefined;
  /** Pause before the stream is opened again, in ms; doubled up to 20 times of it. Default 100. */
  readonly pauseMs?: number | undefined;
}

/**
 * Every block from a height on, then every new one: no gap, none twice, also over restarts of the node. 0 begins with the
 * next block. Ends when the signal aborts.
 * @throws ERR_CLI_CANNOT_CONNECT when the node cannot be reached at the start
 */
export async function* followBlocks(
  connection: Connection,
  from: number,
  options: FollowOptions = {},
): AsyncGenerator<BlockReply, void> {
  const { signal, resume = true, pauseMs = 100 } = options;
  let next = from !== 0 ? from : (await connection.unary('getStatus', {}, { signal })).height + 1;
  let pause = pauseMs;
  let reached = false;
  while (signal?.aborted !== true) {
    try {
      for await (const block of connection.stream('followBlocks', { from: next }, { signal })) {
        if (block.height !== next) {
          throw failure('ERR_INTERNAL', `the node sent block ${block.height} where ${next} was due`);
        }
        next += 1;
        reached = true;
        pause = pauseMs;
        yield block;
      }
      return;
    } catch (error) {
      if (!resume || !isItChainError(error) || !canGoOn(error.code, error.retryable)) throw error;
      if (!reached && error.code === 'ERR_CLI_CANNOT_CONNECT') throw error;
      await sleep(pause, signal);
      pause = Math.min(pause * 2, pauseMs * 20);
    }
  }
}

function canGoOn(code: string, retryable: boolean): boolean {
  return retryable || code === 'ERR_API_SLOW_SUBSCRIBER';
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
