import { Genesis, networkOf } from '../data/genesis.js';
import { toHex } from '../data/hash.js';
import { decodeTransaction, type DecodedTransaction } from '../data/transaction.js';
import type { ErrorCode } from '../errors/catalogue/index.js';
import { isItChainError } from '../errors/it-chain-error.js';
import type { P2p } from '../roles/p2p.js';
import type { PoolEntry } from '../roles/txpool.js';
import { sameBytes } from '../schema/index.js';

/** What a transaction is judged by before its signature. */
export interface NetworkRules {
  readonly network: Uint8Array;
  readonly founded: boolean;
  readonly window: number;
  readonly maxTransactionBytes: number;
}

/** The rules of the network, or of the candidate before founding; undefined where p2p knows neither yet. */
export async function readRules(p2p: P2p): Promise<NetworkRules | undefined> {
  const { genesis, candidate } = await p2p.network({});
  const encoded = genesis ?? candidate;
  if (encoded === undefined) return undefined;
  const { window, maxTransactionBytes, ...rest } = Genesis.decodeCanonical(encoded);
  const network = networkOf({ ...rest, window, maxTransactionBytes });
  return { network, founded: genesis !== undefined, window, maxTransactionBytes };
}

/** The answer for a transaction that is not taken in. */
export const rejected = (id: Uint8Array, code: ErrorCode, reason: string): PoolEntry => ({
  id,
  state: 'rejected',
  code,
  reason: reason.slice(0, 1_024),
});

/** True for a rejection that its id fixes for ever. */
export const isFinal = (code: string): boolean => code === 'ERR_TX_EXPIRED' || code === 'ERR_TX_REFUSED';

/** The checks that cost little: size, form, network, expiry. `height` is that of the next block. Pure. */
export function screen(encoded: Uint8Array, rules: NetworkRules, height: number): DecodedTransaction | PoolEntry {
  const { network, window, maxTransactionBytes } = rules;
  const none = new Uint8Array(0);
  if (encoded.length > maxTransactionBytes) {
    return rejected(none, 'ERR_TX_TOO_LARGE', `${encoded.length} bytes where ${maxTransactionBytes} are allowed`);
  }
  let read: DecodedTransaction;
  try {
    read = decodeTransaction(encoded);
  } catch (error) {
    return rejected(none, 'ERR_TX_MALFORMED', isItChainError(error) ? error.message : 'it cannot be read');
  }
  const { id, value } = read;
  if (!sameBytes(value.network, network)) {
    const reason = `signed for the network ${toHex(value.network)}; sign it for ${toHex(network)}`;
    return rejected(id, 'ERR_TX_DIFFERENT_NETWORK', reason);
  }
  if (value.expiresAt < height) {
    return rejected(id, 'ERR_TX_EXPIRED', `valid until height ${value.expiresAt}; the next block is ${height}`);
  }
  if (value.expiresAt > height + window) {
    const reason = `valid until height ${value.expiresAt}; at most ${height + window} is allowed now`;
    return rejected(id, 'ERR_TX_EXPIRY_TOO_FAR', reason);
  }
  return read;
}
