import { bytes, choice, message, nested, optional, repeated, string, uint32, uint64, type Infer } from '../schema/index.js';
import { NO_NETWORK, domainDigest } from './signing.js';
import type { ValidatorSet } from './validator-set.js';

/** How nodes become learners. */
export const ADMISSIONS = ['open', 'allowlist', 'vote'] as const;
/** How learners become validators: `skip-two` never stops at two validators, where either one down stops the chain. */
export const GROWTHS = ['skip-two', 'immediate'] as const;

/**
 * How a network begins that goes on where another one has lost its quorum for good: not with an empty state, but with that
 * after a block of the network before.
 */
export const Recovery = message('Recovery', {
  /** The network before. */
  network: bytes(1, { length: 32 }),
  /** Of its last certified block, 1 or more. The first block of this network is the next one. */
  height: uint64(2),
  /** Of that block. */
  digest: bytes(3, { length: 32 }),
  /** State root after that block in the network before. */
  stateRoot: bytes(4, { length: 32 }),
  /** Of the members that this network begins with. */
  systemRoot: bytes(5, { length: 32 }),
  /** Of the application's state, which is carried over as it is. */
  applicationRoot: bytes(6, { length: 32 }),
  /** Why, in the words of the operator. */
  reason: string(7, { maxLength: 256 }),
  /** Ed25519 of the founder over the domain `recovery`, the network before and {@link recoveryContent}. */
  signature: bytes(15, { length: 64 }),
});
export type Recovery = Infer<typeof Recovery>;

/** What all nodes of a network agree on from the start. Its digest is the network. Canonical. */
export const Genesis = message('Genesis', {
  /** 1. */
  version: uint32(1),
  /** 32 random bytes. */
  nonce: bytes(2, { length: 32 }),
  /** Public key of the founder, proposer(0). */
  founder: bytes(3, { length: 32 }),
  /** V(1) = V(2), in order; join sequence numbers 0, 1, ... */
  validators: repeated(bytes(4, { length: 32 }), { maxItems: 100 }),
  admission: choice(5, 'Admission', ADMISSIONS),
  /** Public keys admitted under `allowlist`. */
  allowlist: repeated(bytes(6, { length: 32 }), { maxItems: 1_000 }),
  growth: choice(7, 'Growth', GROWTHS),
  minValidators: uint32(8),
  /** Heights after which the lead moves on; 0 keeps it until it fails. */
  leaderTerm: uint32(9),
  /** W: a transaction is valid for at most this many heights. */
  window: uint32(10),
  maxBlockBytes: uint32(11),
  maxBlockTransactions: uint32(12),
  maxTransactionBytes: uint32(13),
  /** Name and major version of the application: `kv/1`. */
  application: string(14, { maxLength: 64 }),
  /** ms since the epoch; the first block is later. */
  time: uint64(15),
  /** Absent where the network begins with nothing. */
  recovery: optional(nested(16, Recovery)),
});
export type Genesis = Infer<typeof Genesis>;

/** The parameters a founder may leave as they are. */
export const GENESIS_DEFAULTS = {
  version: 1,
  allowlist: [],
  growth: 'skip-two',
  minValidators: 1,
  leaderTerm: 0,
  window: 100_000,
  maxBlockBytes: 2 * 1024 * 1024,
  maxBlockTransactions: 4_000,
  maxTransactionBytes: 128 * 1024,
} as const;

/** The network: the digest of the genesis, 32 bytes. Everywhere shown as lower-case hex. */
export function networkOf(genesis: Genesis): Uint8Array {
  return domainDigest('genesis', NO_NETWORK, Genesis.encode(genesis));
}

/** V(1), which is also V(2). */
export function genesisValidators(genesis: Genesis): ValidatorSet {
  return { validators: genesis.validators.map((publicKey, sequence) => ({ publicKey, sequence })) };
}
