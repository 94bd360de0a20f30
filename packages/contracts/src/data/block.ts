import { bytes, message, nested, repeated, uint32, uint64, type Infer } from '../schema/index.js';
import { domainDigest } from './signing.js';

/** The header of a block. Holds no round and no votes, so its digest survives being proposed again. Canonical. */
export const BlockHeader = message('BlockHeader', {
  /** 1. */
  version: uint32(1),
  /** Digest of the genesis, 32 bytes. */
  network: bytes(2, { length: 32 }),
  /** 1 and up; the genesis is height 0. */
  height: uint64(3),
  /** Digest of the block before; at height 1 the network. */
  previous: bytes(4, { length: 32 }),
  /** Public key of its creator, which stays the same when another leader proposes it again. */
  proposer: bytes(5, { length: 32 }),
  /** Join sequence number of the creator. */
  proposerSequence: uint64(6),
  /** ms since the epoch, greater than the parent's. */
  time: uint64(7),
  /** Merkle root (RFC 6962) over id and signature of each transaction. */
  transactionRoot: bytes(8, { length: 32 }),
  transactionCount: uint32(9),
  /** State root after the block before. */
  previousStateRoot: bytes(10, { length: 32 }),
  /** Hash of V(height). */
  validators: bytes(11, { length: 32 }),
  /** Hash of V(height + 1). */
  nextValidators: bytes(12, { length: 32 }),
});
export type BlockHeader = Infer<typeof BlockHeader>;

/** A block: its encoded header and its encoded transactions. */
export const Block = message('Block', {
  header: bytes(1, { maxLength: 1_024 }),
  transactions: repeated(bytes(2), { maxItems: 65_536 }),
});
export type Block = Infer<typeof Block>;

/** One validator's COMMIT signature. */
export const Seal = message('Seal', {
  /** Index in V(height). */
  validator: uint32(1),
  signature: bytes(2, { length: 64 }),
});
export type Seal = Infer<typeof Seal>;

/** Proof that a block was decided: COMMIT signatures of a quorum of V(height) for one round. */
export const Certificate = message('Certificate', {
  height: uint64(1),
  round: uint32(2),
  digest: bytes(3, { length: 32 }),
  seals: repeated(nested(4, Seal), { maxItems: 1_000 }),
});
export type Certificate = Infer<typeof Certificate>;

/** A block and the certificate that decided it, both encoded: what sync carries. */
export const CertifiedBlock = message('CertifiedBlock', { block: bytes(1), certificate: bytes(2, { maxLength: 131_072 }) });
export type CertifiedBlock = Infer<typeof CertifiedBlock>;

/** The digest of an encoded header, 32 bytes. */
export function headerDigest(encodedHeader: Uint8Array, network: Uint8Array): Uint8Array {
  return domainDigest('block', network, encodedHeader);
}
