import { bytes, message, messageOf, string, uint64, type Infer } from '@it-chain/contracts';

/** The payload of a transaction of `notary/1`: the sender has this document now. Canonical. */
export const Register = message('Register', {
  /** SHA-256 of the document. */
  hash: bytes(1, { length: 32 }),
  /** Anything; public. */
  label: string(2, { maxLength: 256 }),
});
export type Register = Infer<typeof Register>;

/** What the ledger keeps under the hash of a document. Never changed. */
export const NotaryRecord = message('NotaryRecord', {
  /** Public key of whoever registered it first. */
  owner: bytes(1, { length: 32 }),
  /** The block, and its time in ms since the epoch. */
  height: uint64(2),
  time: uint64(3),
  label: string(4, { maxLength: 256 }),
});
export type NotaryRecord = Infer<typeof NotaryRecord>;

/** Codes in receipts of `notary/1`. */
export const NOTARY_CODES = { done: 0, malformed: 1, known: 2 } as const;

/** Reads a payload, or says why it cannot be read. Never throws. */
export function readRegister(payload: Uint8Array): Register | { readonly refused: string } {
  try {
    return Register.decodeCanonical(payload);
  } catch (error) {
    return { refused: messageOf(error).slice(0, 500) };
  }
}
