import type { TransactionStatus } from '@it-chain/contracts';
import type { Connection } from './connection.js';
import { fromGrpcError } from './from-grpc-error.js';

/** How batches are sent. */
export interface SubmitStreamOptions {
  /** Batches that are sent and not answered yet. Default 4. */
  readonly window?: number | undefined;
}

/**
 * Sends batches of encoded transactions over one stream and gives the results of each, in order. The next batch is taken
 * from `batches` only when fewer than `window` are unanswered, so a source is read no faster than the node stores.
 */
export async function* submitStream(
  connection: Connection,
  batches: AsyncIterable<readonly Uint8Array[]> | Iterable<readonly Uint8Array[]>,
  options: SubmitStreamOptions = {},
): AsyncGenerator<readonly TransactionStatus[], void> {
  const call = connection.duplex('submitStream');
  const window = Math.max(1, options.window ?? 4);
  let open = 0;
  let answered: (() => void) | undefined;
  let left = false;
  const send = async (): Promise<void> => {
    for await (const transactions of batches) {
      while (open >= window && !left) {
        await new Promise<void>((resolve) => {
          answered = resolve;
        });
      }
      if (left) return;
      open += 1;
      call.write({ transactions });
    }
    call.end();
  };
  let failed: Error | undefined;
  const sending = send().catch((error: unknown) => {
    failed = error instanceof Error ? error : new Error(String(error));
    call.cancel();
  });
  try {
    for await (const { results } of call as AsyncIterable<{ readonly results: readonly TransactionStatus[] }>) {
      open -= 1;
      answered?.();
      yield results;
    }
  } catch (error) {
    throw failed ?? fromGrpcError(error, connection.address);
  } finally {
    left = true;
    answered?.();
    call.on('error', () => {
      // The cancellation of our own doing comes back as an error that nobody waits for.
    });
    call.cancel();
  }
  await sending;
  if (failed !== undefined) throw failed;
}
