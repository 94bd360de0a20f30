import { bytes, message, optional, repeated, sameBytes, type Infer } from '../schema/index.js';
import { sha256 } from './hash.js';

/** Root of the empty tree, and hash of every empty subtree: 32 zero bytes. */
export const SPARSE_EMPTY: Uint8Array = new Uint8Array(32);

/** Tags apart from those of the transaction tree (0 and 1), so that no hash of one tree is a hash of the other. */
const LEAF = 2;
const NODE = 3;

const tagged = (tag: number, left: Uint8Array, right: Uint8Array): Uint8Array => {
  const work = new Uint8Array(65);
  work[0] = tag;
  work.set(left, 1);
  work.set(right, 33);
  return sha256(work);
};

/** Hash of a leaf: 0x02, SHA-256 of the key, SHA-256 of the value. The leaf names its key, so it proves at which path it stands. */
export const sparseLeafHash = (keyHash: Uint8Array, valueHash: Uint8Array): Uint8Array =>
  tagged(LEAF, keyHash, valueHash);

/** Hash of a node: 0x03, left, right. A subtree with one leaf is that leaf; an empty one is {@link SPARSE_EMPTY}. */
export const sparseNodeHash = (left: Uint8Array, right: Uint8Array): Uint8Array => tagged(NODE, left, right);

/** The bit of a hash at a depth of the tree: depth 0 is the highest bit of the first byte; 0 goes left. */
export const sparseBit = (keyHash: Uint8Array, depth: number): number =>
  ((keyHash[depth >> 3] ?? 0) >> (7 - (depth & 7))) & 1;

/** What proves a key's value, or that it has none. Canonical. */
export const SparseProof = message('SparseProof', {
  /** Hashes beside the path, from the root down. */
  siblings: repeated(bytes(1, { length: 32 }), { maxItems: 256 }),
  /** For an absent key whose path ends at another leaf: SHA-256 of that leaf's key and of its value. */
  otherKey: optional(bytes(2, { length: 32 })),
  otherValue: optional(bytes(3, { length: 32 })),
});
export type SparseProof = Infer<typeof SparseProof>;

/**
 * True where `proof` (encoded {@link SparseProof}) shows that under `root` the key has this value, or none where `value`
 * is undefined. Pure; never throws, also for bytes of a stranger.
 */
export function verifySparseProof(
  root: Uint8Array,
  key: Uint8Array,
  value: Uint8Array | undefined,
  proof: Uint8Array,
): boolean {
  let read: SparseProof;
  try {
    read = SparseProof.decodeCanonical(proof);
  } catch {
    // Bytes that are no proof prove nothing.
    return false;
  }
  const keyHash = sha256(key);
  const end = endOfPath(keyHash, value, read);
  if (end === undefined) return false;
  let hash = end;
  for (let depth = read.siblings.length - 1; depth >= 0; depth -= 1) {
    const sibling = read.siblings[depth] ?? SPARSE_EMPTY;
    hash = sparseBit(keyHash, depth) === 0 ? sparseNodeHash(hash, sibling) : sparseNodeHash(sibling, hash);
  }
  return sameBytes(hash, root);
}

/** The hash at which the path of a key ends, if the proof is one for this answer. */
function endOfPath(keyHash: Uint8Array, value: Uint8Array | undefined, proof: SparseProof): Uint8Array | undefined {
  const { otherKey, otherValue } = proof;
  if ((otherKey === undefined) !== (otherValue === undefined)) return undefined;
  if (value !== undefined) return otherKey === undefined ? sparseLeafHash(keyHash, sha256(value)) : undefined;
  if (otherKey === undefined || otherValue === undefined) return SPARSE_EMPTY;
  if (sameBytes(otherKey, keyHash)) return undefined;
  // The other leaf must stand on the same path, or any leaf of the tree would prove any absence.
  for (let depth = 0; depth < proof.siblings.length; depth += 1) {
    if (sparseBit(otherKey, depth) !== sparseBit(keyHash, depth)) return undefined;
  }
  return sparseLeafHash(otherKey, otherValue);
}
