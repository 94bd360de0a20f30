import {
  decodeTransaction,
  toHex,
  transactionSigningBytes,
  verifySignature,
  type DecodedTransaction,
  type PoolEntry,
  type TxPool,
} from '@it-chain/contracts';
import { unused } from './fake-chain.js';
import type { FakeLedger } from './fake-ledger.js';

/** The pool of a fake node. */
export function fakeTxPool(node: FakeLedger): TxPool {
  const entry = (id: Uint8Array): PoolEntry => {
    const known = node.rejected.get(toHex(id));
    if (known !== undefined) return known;
    const state = node.pool.has(toHex(id)) ? 'pending' : 'unknown';
    return { id, state, code: '', reason: state === 'pending' && !node.founded ? 'no leader yet' : '' };
  };
  return {
    submit: async ({ transactions }) => ({ entries: transactions.map((encoded) => accept(node, encoded)) }),
    get: async ({ ids }) => {
      node.failIfCutOff();
      return { entries: ids.map(entry) };
    },
    take: unused,
    have: unused,
    status: async () => ({
      count: node.pool.size,
      bytes: 0,
      maxCount: node.maxPool,
      maxBytes: 1_000_000,
      oldest: 0,
      full: node.pool.size >= node.maxPool,
    }),
  } satisfies Partial<TxPool> as TxPool;
}

function accept(node: FakeLedger, encoded: Uint8Array): PoolEntry {
  const refused = (code: string, reason: string, id: Uint8Array = new Uint8Array(0)): PoolEntry => ({
    id,
    state: 'rejected',
    code,
    reason,
  });
  let read: DecodedTransaction;
  try {
    read = decodeTransaction(encoded);
  } catch (error) {
    return refused('ERR_TX_MALFORMED', error instanceof Error ? error.message : '');
  }
  const { id, value } = read;
  const signed = transactionSigningBytes(encoded, value.network);
  if (toHex(value.network) !== toHex(node.network)) {
    return refused('ERR_TX_DIFFERENT_NETWORK', `sign for ${toHex(node.network)}`, id);
  }
  if (!verifySignature(value.sender, signed, value.signature)) {
    return refused('ERR_TX_SIGNATURE', 'the signature is not valid', id);
  }
  if (node.pool.size >= node.maxPool) {
    return refused('ERR_TXPOOL_FULL', `the pool holds ${node.maxPool} transactions`, id);
  }
  node.pool.set(toHex(id), read);
  node.onEvent('transaction.accepted', { ids: [id] });
  return { id, state: 'pending', code: '', reason: node.founded ? '' : 'no leader yet' };
}
