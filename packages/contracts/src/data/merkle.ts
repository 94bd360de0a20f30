import { concatBytes, sha256 } from './hash.js';
import { sameBytes } from '../schema/index.js';

const LEAF = new Uint8Array([0]);
const NODE = 1;

/** Root of the empty list: SHA-256 of nothing (RFC 6962 section 2.1). */
export const EMPTY_ROOT: Uint8Array = sha256(new Uint8Array(0));

/** Hash of a leaf: 0x00 in front, so no leaf can pass for a node. */
export const leafHash = (leaf: Uint8Array): Uint8Array => sha256(concatBytes(LEAF, leaf));

/** What a node is hashed from: 0x01 and the hashes of its children. Filled anew for each node, hashed on the spot. */
const nodeInput = new Uint8Array(65).fill(NODE);
function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  nodeInput.set(left, 1);
  nodeInput.set(right, 33);
  return sha256(nodeInput);
}

/** Merkle tree hash of a list of leaves (RFC 6962 section 2.1): no duplicated last leaf, so one root has one list. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  return merkleRootOfHashes(leaves.map(leafHash));
}

/** The same over leaves that are hashed already. */
export function merkleRootOfHashes(leafHashes: readonly Uint8Array[]): Uint8Array {
  if (leafHashes.length === 0) return EMPTY_ROOT;
  let level = leafHashes;
  while (level.length > 1) level = nextLevel(level);
  return level[0] ?? EMPTY_ROOT;
}

/** Pairing neighbours and lifting an odd last one gives the same tree as RFC 6962's split at the largest power of two. */
function nextLevel(level: readonly Uint8Array[]): Uint8Array[] {
  const next: Uint8Array[] = [];
  for (let index = 0; index < level.length; index += 2) {
    const left = level[index];
    const right = level[index + 1];
    if (left !== undefined) next.push(right === undefined ? left : nodeHash(left, right));
  }
  return next;
}

/** The audit path of one leaf, from the leaf up (RFC 6962 section 2.1.1). @throws RangeError for an index outside */
export function merklePath(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  if (!(index >= 0 && index < leaves.length)) throw new RangeError(`no leaf ${index} among ${leaves.length}`);
  const path: Uint8Array[] = [];
  let level = leaves.map(leafHash);
  let at = index;
  while (level.length > 1) {
    const sibling = level[at ^ 1];
    if (sibling !== undefined) path.push(sibling);
    level = nextLevel(level);
    at >>= 1;
  }
  return path;
}

/** True where `path` leads from `leaf` at `index` of `count` leaves to `root`. Never throws. */
export function verifyMerklePath(
  leaf: Uint8Array,
  index: number,
  count: number,
  path: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!(Number.isSafeInteger(index) && index >= 0 && index < count)) return false;
  let hash = leafHash(leaf);
  let at = index;
  let last = count - 1;
  let used = 0;
  while (last > 0) {
    const even = at % 2 === 0;
    // An even last node has no sibling on this level: it is lifted as it is.
    if (!(even && at === last)) {
      const sibling = path[used];
      if (sibling?.length !== 32) return false;
      used += 1;
      hash = even ? nodeHash(hash, sibling) : nodeHash(sibling, hash);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return used === path.length && sameBytes(hash, root);
}
