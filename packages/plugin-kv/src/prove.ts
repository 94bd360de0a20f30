import { SparseProof } from '@it-chain/contracts';
import { EMPTY_TEXT, bytesOf, type HashText } from './fast-hash.js';
import { EMPTY_PAGE, SLOTS, isLeaf, summaryOf, type Slot } from './page.js';
import { childPath, digitBelow } from './page-path.js';
import type { PageAt } from './update-tree.js';

/** The encoded proof that a key has its value, or none, under the root of the loaded pages. */
export function prove(key: HashText, pageAt: PageAt): Uint8Array {
  const siblings: HashText[] = [];
  let end: Slot;
  for (let path = ''; ; path = childPath(path, digitBelow(path, key))) {
    const page = pageAt(path) ?? EMPTY_PAGE;
    const target = SLOTS + digitBelow(path, key);
    end = summaryOf(page);
    // Down the binary levels of the page, until the subtree is a single leaf or empty.
    for (let level = 3; level >= 0 && end !== undefined && !isLeaf(end); level -= 1) {
      const index = target >> level;
      siblings.push(page[index ^ 1]?.hash ?? EMPTY_TEXT);
      end = page[index];
    }
    if (end === undefined || isLeaf(end)) break;
  }
  const other = isLeaf(end) && end.key !== key ? { otherKey: bytesOf(end.key), otherValue: bytesOf(end.value) } : {};
  return SparseProof.encode({ siblings: siblings.map(bytesOf), ...other });
}
