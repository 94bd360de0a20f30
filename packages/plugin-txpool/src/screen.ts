import {
  decodeTransaction,
  isItChainError,
  sameBytes,
  toHex,
  type DecodedTransaction,
  type ErrorCode,
  type PoolEntry,
} from '@it-chain/contracts';
import type { NetworkFacts } from './network-view.js';

/** The answer for a transaction that is not taken in. */
export const rejected = (id: Uint8Array, code: ErrorCode, reason: string): PoolEntry => ({
  id,
  state: 'rejected',
  code,
  reason: reason.slice(0, 1_024),
});

/** True for a rejection that the id fixes for ever, so that it may be remembered by it. */
export const isFinal = (code: string): boolean =>
  code === 'ERR_TX_EXPIRED' || code === 'ERR_TX_REFUSED' || code === 'ERR_TX_DIFFERENT_NETWORK';

/** True for a rejection that may be another one later, here or at another node. */
export const isTransient = (code: string): boolean =>
  code === 'ERR_TXPOOL_FULL' || code === 'ERR_TXPOOL_SENDER_LIMIT' || code === 'ERR_TX_EXPIRY_TOO_FAR';

const NO_ID = new Uint8Array(0);

/** The cheap checks, in the order of their price: size, form, network, expiry. `height` is that of the next block. Pure. */
export function screen(encoded: Uint8Array, facts: NetworkFacts, height: number): DecodedTransaction | PoolEntry {
  if (encoded.length > facts.maxTransactionBytes) {
    const reason = `${encoded.length} bytes where ${facts.maxTransactionBytes} are allowed`;
    return rejected(NO_ID, 'ERR_TX_TOO_LARGE', reason);
  }
  const transaction = read(encoded);
  if (!('value' in transaction)) return transaction;
  const { value, id } = transaction;
  const { membership } = value;
  if (membership !== undefined && Object.values(membership).every((change) => change === undefined)) {
    return rejected(id, 'ERR_TX_MALFORMED', 'a membership transaction that names no change');
  }
  if (!sameBytes(value.network, facts.network)) {
    const reason = `signed for the network ${toHex(value.network)}; sign it for ${toHex(facts.network)}`;
    return rejected(id, 'ERR_TX_DIFFERENT_NETWORK', reason);
  }
  if (value.expiresAt < height) {
    return rejected(id, 'ERR_TX_EXPIRED', `valid until height ${value.expiresAt}; the next block is ${height}`);
  }
  if (value.expiresAt > height + facts.window) {
    const reason = `valid until height ${value.expiresAt}; at most ${height + facts.window} is allowed now`;
    return rejected(id, 'ERR_TX_EXPIRY_TOO_FAR', reason);
  }
  return transaction;
}

function read(encoded: Uint8Array): DecodedTransaction | PoolEntry {
  try {
    return decodeTransaction(encoded);
  } catch (error) {
    return rejected(NO_ID, 'ERR_TX_MALFORMED', isItChainError(error) ? error.message : 'it cannot be read');
  }
}
