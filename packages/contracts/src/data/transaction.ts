import { bytes, message, nested, optional, repeated, string, uint32, uint64, type Infer } from '../schema/index.js';
import { failure } from '../errors/fail.js';
import { sha256 } from './hash.js';
import { signBytes, signingBytes, type KeyPair } from './signing.js';
import { Membership } from './membership.js';

/** A signed wish to change the state; executed at most once. Canonical. */
export const Transaction = message('Transaction', {
  /** 1. */
  version: uint32(1),
  /** Digest of the genesis, 32 bytes. */
  network: bytes(2, { length: 32 }),
  /** Ed25519 public key, 32 bytes. */
  sender: bytes(3, { length: 32 }),
  /** 64 random bits, so that equal wishes are different transactions. */
  nonce: bytes(4, { length: 8 }),
  /** The last height at which it may be in a block. */
  expiresAt: uint64(5),
  /** For the application, opaque to the chain. */
  application: optional(bytes(6), 'body'),
  /** For the chain itself. */
  membership: optional(nested(7, Membership), 'body'),
  /** Ed25519 over the domain `transaction`, the network and all fields above. */
  signature: bytes(15, { length: 64 }),
});
export type Transaction = Infer<typeof Transaction>;

/** Bytes that the signature field takes at the end of the canonical form: key, length, 64 bytes. */
const SIGNATURE_FIELD_BYTES = 66;

/** What is signed and hashed: the canonical form without its last field, behind the domain tag and the network. */
export function transactionSigningBytes(encoded: Uint8Array, network: Uint8Array): Uint8Array {
  return signingBytes('transaction', network, transactionContent(encoded));
}

/** The content that `context.sign('transaction', network, ...)` signs: the canonical form without its last field. */
export function transactionContent(encoded: Uint8Array): Uint8Array {
  return encoded.subarray(0, encoded.length - SIGNATURE_FIELD_BYTES);
}

/** The id of a canonical encoded transaction: the hash of the tag, the network and all fields but the signature. 32 bytes. */
export function transactionId(encoded: Uint8Array, network: Uint8Array): Uint8Array {
  return sha256(transactionSigningBytes(encoded, network));
}

/** A transaction that was read: its bytes, its fields and its id. */
export interface DecodedTransaction {
  readonly encoded: Uint8Array;
  readonly value: Transaction;
  /** 32 bytes. */
  readonly id: Uint8Array;
}

/** Reads a transaction in canonical form. Does not verify the signature. @throws ERR_TX_MALFORMED */
export function decodeTransaction(encoded: Uint8Array): DecodedTransaction {
  try {
    const value = Transaction.decodeCanonical(encoded);
    if (value.version !== 1) throw new RangeError(`version ${value.version} is not known`);
    if (value.application === undefined && value.membership === undefined) throw new RangeError('no body');
    return { encoded, value, id: transactionId(encoded, value.network) };
  } catch (cause) {
    throw failure('ERR_TX_MALFORMED', `a transaction of ${encoded.length} bytes cannot be read: ${cause instanceof Error ? cause.message : ''}`, { cause });
  }
}

/** What a sender decides about a transaction. */
export interface TransactionDraft {
  readonly network: Uint8Array;
  /** 8 bytes, random. */
  readonly nonce: Uint8Array;
  readonly expiresAt: number;
  readonly application?: Uint8Array | undefined;
  readonly membership?: Membership | undefined;
}

/** The canonical bytes of a draft with an empty signature (64 zero bytes): what {@link transactionSigningBytes} expects. */
export function encodeDraft(draft: TransactionDraft, sender: Uint8Array): Uint8Array {
  return Transaction.encode({ version: 1, ...draft, sender, signature: new Uint8Array(64) });
}

/** Puts a signature of 64 bytes into the bytes of {@link encodeDraft}. */
export function withSignature(draft: Uint8Array, signature: Uint8Array): Uint8Array {
  const encoded = Uint8Array.from(draft);
  encoded.set(signature, encoded.length - 64);
  return encoded;
}

/** Signs a draft with a key that the caller holds. Returns the canonical bytes. */
export function signTransaction(draft: TransactionDraft, keys: KeyPair): Uint8Array {
  const encoded = encodeDraft(draft, keys.publicKey);
  return withSignature(encoded, signBytes(transactionSigningBytes(encoded, draft.network), keys.secretKey));
}

/** A batch of encoded transactions, as it crosses the bus and the wire. */
export const TransactionBatch = message('TransactionBatch', { transactions: repeated(bytes(1)) });
export type TransactionBatch = Infer<typeof TransactionBatch>;

/** What came of one executed transaction. */
export const Receipt = message('Receipt', {
  id: bytes(1, { length: 32 }),
  /** 0 = done; otherwise the application's code of refusal. The transaction is in the block either way. */
  code: uint32(2),
  /** The application's answer, opaque to the chain. */
  output: bytes(3),
  /** Why it was refused, in words. */
  message: string(4, { maxLength: 1_024 }),
});
export type Receipt = Infer<typeof Receipt>;
