import { bytes, message, messageOf, nested, optional, uint64, type Infer } from '@it-chain/contracts';

/** Moves tokens from the sender of the transaction. */
export const Transfer = message('Transfer', { to: bytes(1, { length: 32 }), amount: uint64(2) });
/** Makes new tokens; only the founder of the network may. */
export const Mint = message('Mint', { to: bytes(1, { length: 32 }), amount: uint64(2) });
/** The payload of a transaction of `token/1`. Amounts are whole tokens, from 1 to 2^53-1. Canonical. */
export const TokenOperation = message('TokenOperation', {
  transfer: optional(nested(1, Transfer), 'operation'),
  mint: optional(nested(2, Mint), 'operation'),
});
export type TokenOperation = Infer<typeof TokenOperation>;

/** Codes in receipts of `token/1`. */
export const TOKEN_CODES = { done: 0, malformed: 1, insufficient: 2, notOwner: 3, tooMuch: 4 } as const;

/** Most tokens there can be: every balance and the supply are exact numbers. */
export const MAX_SUPPLY = Number.MAX_SAFE_INTEGER;

/** A payload that was read. */
export interface Movement {
  readonly kind: 'transfer' | 'mint';
  readonly to: Uint8Array;
  readonly amount: number;
}

/** Reads a payload, or says why it cannot be read. Never throws. */
export function readMovement(payload: Uint8Array): Movement | { readonly refused: string } {
  try {
    const { transfer, mint } = TokenOperation.decodeCanonical(payload);
    const body = transfer ?? mint;
    if (body === undefined) return { refused: 'no operation' };
    if (body.amount === 0) return { refused: 'an amount of 0' };
    return { kind: transfer === undefined ? 'mint' : 'transfer', ...body };
  } catch (error) {
    return { refused: messageOf(error).slice(0, 500) };
  }
}
