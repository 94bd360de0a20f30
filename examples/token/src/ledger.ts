import { failure, heightKey, sameBytes, stateKey, toHex, utf8, type StateDraft } from '@it-chain/contracts';
import { MAX_SUPPLY, TOKEN_CODES, type Movement } from './operation.js';

/** How an operation ended. */
export interface Outcome {
  readonly code: number;
  readonly message: string;
}

/** Keys of the state: balances by account, and the supply. Numbers are 8 bytes, big-endian; a balance of 0 is absent. */
export const keys = {
  balance: (account: Uint8Array): Uint8Array => stateKey('b', account),
  supply: utf8('supply'),
} as const;

/** A stored number; absent is 0. */
export function readAmount(value: Uint8Array | undefined): number {
  if (value === undefined) return 0;
  if (value.length !== 8) throw failure('ERR_STORAGE_DAMAGED', `a balance of ${value.length} bytes`);
  return Number(Buffer.from(value).readBigUInt64BE());
}

/**
 * Applies one movement to the draft of a block. The rules: what is moved leaves one balance and enters another, only the
 * owner makes new tokens, no balance goes below 0, and the supply stays an exact number.
 */
export function apply(movement: Movement, sender: Uint8Array, owner: Uint8Array, draft: StateDraft): Outcome {
  const { kind, to, amount } = movement;
  const balanceOf = (account: Uint8Array): number => readAmount(draft.get(keys.balance(account)));
  const setBalance = (account: Uint8Array, balance: number): void =>
    draft.set(keys.balance(account), balance === 0 ? undefined : heightKey(balance));
  if (kind === 'mint') {
    if (!sameBytes(sender, owner)) {
      return { code: TOKEN_CODES.notOwner, message: `only the founder ${toHex(owner)} makes new tokens` };
    }
    const supply = readAmount(draft.get(keys.supply));
    if (amount > MAX_SUPPLY - supply) {
      return { code: TOKEN_CODES.tooMuch, message: `${supply} tokens exist, at most ${MAX_SUPPLY} may` };
    }
    draft.set(keys.supply, heightKey(supply + amount));
    setBalance(to, balanceOf(to) + amount);
    return { code: TOKEN_CODES.done, message: '' };
  }
  const balance = balanceOf(sender);
  if (balance < amount) {
    return { code: TOKEN_CODES.insufficient, message: `the balance is ${balance}, less than ${amount}` };
  }
  setBalance(sender, balance - amount);
  // Read after the sender's balance was set: both may be one account.
  setBalance(to, balanceOf(to) + amount);
  return { code: TOKEN_CODES.done, message: '' };
}
