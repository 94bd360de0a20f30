import { failure } from '@it-chain/contracts';
import type { HashText } from './fast-hash.js';
import { EMPTY_PAGE, Leaf, isLeaf, slotAt, summaryOf, withSlots, type Page, type Slot } from './page.js';
import { MAX_PATH, childPath, digitBelow, type PagePath } from './page-path.js';

/** A change of one key. */
export interface Change {
  /** SHA-256 of the key. */
  readonly key: HashText;
  /** SHA-256 of its new value, or undefined to delete it. */
  readonly value: HashText | undefined;
}

/** Pages that an update wrote; undefined where a page is gone. */
export type PageChanges = Map<PagePath, Page | undefined>;

/** Gives the page of a path that was loaded. */
export type PageAt = (path: PagePath) => Page | undefined;

const byKey = (a: Change, b: Change): number => (a.key < b.key ? -1 : 1);

/**
 * Applies changes of different keys to the tree, once for all of them. Pure: what it answers depends on the pages and the
 * changes only, and the tree on the set of keys and values only.
 * @param pageAt gives the page of every path that leads to a changed key
 * @returns what the root is now, and the pages that changed
 */
export function updateTree(
  changes: readonly Change[],
  pageAt: PageAt,
): { readonly root: Slot; readonly pages: PageChanges } {
  const pages: PageChanges = new Map();
  const root = updatePage('', pageAt(''), [...changes].sort(byKey), pageAt, pages);
  return { root, pages };
}

/** Updates one page, which is new where `before` is undefined; answers what it is in its parent's slot. */
function updatePage(
  path: PagePath,
  before: Page | undefined,
  changes: readonly Change[],
  pageAt: PageAt,
  pages: PageChanges,
): Slot {
  const slots = new Map<number, Slot>();
  for (let from = 0; from < changes.length;) {
    const digit = digitBelow(path, changes[from]?.key ?? '');
    let to = from + 1;
    while (to < changes.length && digitBelow(path, changes[to]?.key ?? '') === digit) to += 1;
    const slot = slotAt(before ?? EMPTY_PAGE, digit);
    slots.set(digit, updateSlot(childPath(path, digit), slot, changes.slice(from, to), pageAt, pages));
    from = to;
  }
  const page = withSlots(before ?? EMPTY_PAGE, slots);
  const summary = summaryOf(page);
  // A page of one leaf or of nothing lives on in its parent's slot only; the root has no parent.
  const needed = summary !== undefined && (path === '' || !isLeaf(summary));
  if (needed) pages.set(path, page);
  else if (before !== undefined) pages.set(path, undefined);
  return summary;
}

function updateSlot(below: PagePath, slot: Slot, changes: readonly Change[], pageAt: PageAt, pages: PageChanges): Slot {
  if (slot !== undefined && !isLeaf(slot)) {
    const page = pageAt(below);
    if (page === undefined) {
      throw failure('ERR_STORAGE_DAMAGED', `the page ${below} of the state tree is missing`);
    }
    return updatePage(below, page, changes, pageAt, pages);
  }
  // A leaf that stays has to move down with what is new beside it, like a change of its own.
  const kept = slot !== undefined && !changes.some(({ key }) => key === slot.key) ? [slot] : [];
  const left: readonly Change[] = [...kept, ...changes.filter(({ value }) => value !== undefined)];
  const [only] = left;
  if (left.length > 1) return updatePage(below, undefined, [...left].sort(byKey), pageAt, pages);
  if (only?.value === undefined) return undefined;
  return only === slot ? slot : new Leaf(only.key, only.value);
}

/** The leaf of a key, found through loaded pages. */
export function findLeaf(key: HashText, pageAt: PageAt): Leaf | undefined {
  for (let path = ''; path.length <= MAX_PATH;) {
    const page = pageAt(path);
    const digit = digitBelow(path, key);
    const slot = page === undefined ? undefined : slotAt(page, digit);
    if (slot === undefined) return undefined;
    if (isLeaf(slot)) return slot.key === key ? slot : undefined;
    path = childPath(path, digit);
  }
  return undefined;
}
