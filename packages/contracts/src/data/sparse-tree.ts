import { sameBytes } from '../schema/index.js';
import { sha256 } from './hash.js';
import { SPARSE_EMPTY, SparseProof, sparseBit, sparseLeafHash, sparseNodeHash } from './sparse-merkle.js';

interface Leaf {
  readonly hash: Uint8Array;
  readonly key: Uint8Array;
  readonly keyHash: Uint8Array;
  readonly value: Uint8Array;
}
interface Branch {
  readonly hash: Uint8Array;
  readonly left: Part;
  readonly right: Part;
}
type Part = Leaf | Branch | undefined;

const isLeaf = (part: Leaf | Branch): part is Leaf => 'keyHash' in part;
const hashOf = (part: Part): Uint8Array => part?.hash ?? SPARSE_EMPTY;
const branchOf = (left: Part, right: Part): Branch => ({
  hash: sparseNodeHash(hashOf(left), hashOf(right)),
  left,
  right,
});

/**
 * A sparse Merkle tree in memory, with its keys and values: the root of a set of entries depends on nothing but the set.
 * Immutable: a change gives another tree that shares what is the same, so trees of several blocks may be kept side by side.
 * For applications whose state fits into memory; proofs are checked with `verifySparseProof`.
 */
export class SparseTree {
  static readonly EMPTY = new SparseTree(undefined);
  readonly #top: Part;

  private constructor(top: Part) {
    this.#top = top;
  }

  /** The root, 32 bytes; `SPARSE_EMPTY` without entries. */
  get root(): Uint8Array {
    return hashOf(this.#top);
  }

  /** The value of a key, or undefined. The bytes are the tree's own: do not write into them. */
  get(key: Uint8Array): Uint8Array | undefined {
    const keyHash = sha256(key);
    let part = this.#top;
    for (let depth = 0; part !== undefined && !isLeaf(part); depth += 1) {
      part = sparseBit(keyHash, depth) === 0 ? part.left : part.right;
    }
    return part !== undefined && sameBytes(part.keyHash, keyHash) ? part.value : undefined;
  }

  /** The tree with this value under the key; undefined takes the key out. Keeps copies of both. */
  with(key: Uint8Array, value: Uint8Array | undefined): SparseTree {
    const keyHash = sha256(key);
    if (value === undefined) return new SparseTree(without(this.#top, keyHash, 0));
    const leaf = {
      hash: sparseLeafHash(keyHash, sha256(value)),
      key: Uint8Array.from(key),
      keyHash,
      value: Uint8Array.from(value),
    };
    return new SparseTree(withLeaf(this.#top, leaf, 0));
  }

  /** The encoded {@link SparseProof} that the key has its value, or none, under the root. */
  prove(key: Uint8Array): Uint8Array {
    const keyHash = sha256(key);
    const siblings: Uint8Array[] = [];
    let part = this.#top;
    for (let depth = 0; part !== undefined && !isLeaf(part); depth += 1) {
      const goesLeft = sparseBit(keyHash, depth) === 0;
      siblings.push(hashOf(goesLeft ? part.right : part.left));
      part = goesLeft ? part.left : part.right;
    }
    if (part === undefined || sameBytes(part.keyHash, keyHash)) return SparseProof.encode({ siblings });
    // The path ends at another leaf: that is why the key has no value.
    return SparseProof.encode({ siblings, otherKey: part.keyHash, otherValue: sha256(part.value) });
  }

  /** All entries, in the order of their keys' hashes. */
  *entries(): Generator<{ readonly key: Uint8Array; readonly value: Uint8Array }> {
    const open: Part[] = [this.#top];
    while (open.length > 0) {
      const part = open.pop();
      if (part === undefined) continue;
      if (isLeaf(part)) yield { key: part.key, value: part.value };
      else open.push(part.right, part.left);
    }
  }
}

function withLeaf(part: Part, leaf: Leaf, depth: number): Leaf | Branch {
  if (part === undefined || (isLeaf(part) && sameBytes(part.keyHash, leaf.keyHash))) return leaf;
  if (isLeaf(part)) {
    // Both go down together until their paths part.
    const below = sparseBit(part.keyHash, depth) === sparseBit(leaf.keyHash, depth) ? withLeaf(part, leaf, depth + 1) : leaf;
    const other = below === leaf ? part : undefined;
    return sparseBit(leaf.keyHash, depth) === 0 ? branchOf(below, other) : branchOf(other, below);
  }
  return sparseBit(leaf.keyHash, depth) === 0
    ? branchOf(withLeaf(part.left, leaf, depth + 1), part.right)
    : branchOf(part.left, withLeaf(part.right, leaf, depth + 1));
}

function without(part: Part, keyHash: Uint8Array, depth: number): Part {
  if (part === undefined) return undefined;
  if (isLeaf(part)) return sameBytes(part.keyHash, keyHash) ? undefined : part;
  const goesLeft = sparseBit(keyHash, depth) === 0;
  const left = goesLeft ? without(part.left, keyHash, depth + 1) : part.left;
  const right = goesLeft ? part.right : without(part.right, keyHash, depth + 1);
  if (left === part.left && right === part.right) return part;
  // A subtree of one leaf is that leaf.
  if (left === undefined && (right === undefined || isLeaf(right))) return right;
  if (right === undefined && left !== undefined && isLeaf(left)) return left;
  return branchOf(left, right);
}
