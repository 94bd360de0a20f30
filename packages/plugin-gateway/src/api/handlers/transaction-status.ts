import {
  failure,
  toHex,
  type Infer,
  type LocatedTransaction,
  type PoolEntry,
  type TransactionStatus,
} from '@it-chain/contracts';
import { hintOf } from '../to-grpc-error.js';

type Located = Infer<typeof LocatedTransaction>;

/** What pool and chain say of one transaction, as one answer: the chain has the last word. */
export function combine(id: Uint8Array, entry: PoolEntry | undefined, located: Located | undefined): TransactionStatus {
  if (located?.location !== undefined) {
    const { height, index } = located.location;
    const { receipt } = located;
    return {
      id,
      status: 'committed',
      code: '',
      reason: receipt?.message ?? '',
      hint: '',
      height,
      index,
      ...(receipt === undefined ? {} : { receipt }),
    };
  }
  if (entry === undefined)
    return { id, status: 'unknown', code: '', reason: 'never seen here, or forgotten', hint: '' };
  const { state, code, reason } = entry;
  const words = state === 'unknown' && reason === '' ? 'never seen here, or forgotten' : reason;
  return { id, status: state, code, reason: words, hint: code === '' ? '' : hintOf(code) };
}

/** A batch of which nothing fits is an error of the call, so that a sender slows down without reading each result. */
export function refuseExhausted(results: TransactionStatus[]): TransactionStatus[] {
  const [first] = results;
  if (first === undefined) return results;
  const full = results.every(({ status, code }) => status === 'rejected' && EXHAUSTED.has(code));
  if (!full) return results;
  const code = first.code === 'ERR_TXPOOL_SENDER_LIMIT' ? 'ERR_TXPOOL_SENDER_LIMIT' : 'ERR_TXPOOL_FULL';
  throw failure(code, first.reason === '' ? 'the pool takes no more' : first.reason, {
    retryable: true,
    data: { transaction: toHex(first.id) },
  });
}

const EXHAUSTED: ReadonlySet<string> = new Set(['ERR_TXPOOL_FULL', 'ERR_TXPOOL_SENDER_LIMIT']);
