import { failure } from '@it-chain/contracts';
import { EMPTY_TEXT, leafHashText, nodeHashText, type HashText } from './fast-hash.js';

/** One key in the tree. Its hash is made when it is first asked for. */
export class Leaf {
  #hash: HashText | undefined;

  /** SHA-256 of the key and of the value. */
  constructor(
    readonly key: HashText,
    readonly value: HashText,
  ) {}

  get hash(): HashText {
    this.#hash ??= leafHashText(this.key, this.value);
    return this.#hash;
  }
}

/** A subtree of two keys or more: its hash. */
export interface Subtree {
  readonly hash: HashText;
}

/** What stands at one place of the tree. */
export type Slot = Leaf | Subtree | undefined;

/**
 * Four levels of the binary tree, numbered like a heap: 1 is the page's own node, 2 and 3 are below it, 16 to 31 are the
 * slots, one for each next hexadecimal digit of the key's hash. Never changed once made.
 */
export type Page = readonly Slot[];

export const SLOTS = 16;
export const EMPTY_PAGE: Page = new Array<Slot>(2 * SLOTS).fill(undefined);

/** True for a leaf. */
export const isLeaf = (slot: Slot): slot is Leaf => slot instanceof Leaf;

/** What stands under a digit. */
export const slotAt = (page: Page, digit: number): Slot => page[SLOTS + digit];

/** True where two neighbours make a node of their own, and not nothing or the one leaf that is there. */
const makesNode = (left: Slot, right: Slot): boolean =>
  left === undefined ? right !== undefined && !isLeaf(right) : right !== undefined || !isLeaf(left);

function join(left: Slot, right: Slot): Slot {
  if (!makesNode(left, right)) return left ?? right;
  return { hash: nodeHashText(left?.hash ?? EMPTY_TEXT, right?.hash ?? EMPTY_TEXT) };
}

/** The page with other slots; what lies above them is hashed anew, the rest is taken over. */
export function withSlots(page: Page, slots: ReadonlyMap<number, Slot>): Page {
  const nodes: Slot[] = [...page];
  let level = new Set<number>();
  for (const [digit, slot] of slots) {
    nodes[SLOTS + digit] = slot;
    level.add((SLOTS + digit) >> 1);
  }
  while (level.size > 0) {
    const above = new Set<number>();
    for (const index of level) {
      nodes[index] = join(nodes[2 * index], nodes[2 * index + 1]);
      if (index > 1) above.add(index >> 1);
    }
    level = above;
  }
  return nodes;
}

/** What a page is in its parent's slot; a page with one leaf is that leaf, one with nothing is nothing. */
export const summaryOf = (page: Page): Slot => page[1] ?? join(page[2], page[3]);

/**
 * The stored form: two masks of 16 bits, which slots are taken and which of them hold leaves; then for each leaf the
 * hashes of key and value, for each subtree its hash; then the hashes of the nodes 15 to 2 that are neither empty nor a
 * single leaf, so that a change needs only the hashes on its own path.
 */
export function encodePage(page: Page): Uint8Array {
  let taken = 0;
  let leaves = 0;
  let text = '';
  for (let digit = 0; digit < SLOTS; digit += 1) {
    const slot = slotAt(page, digit);
    if (slot === undefined) continue;
    taken |= 1 << digit;
    if (isLeaf(slot)) {
      leaves |= 1 << digit;
      text += slot.key + slot.value;
    } else text += slot.hash;
  }
  for (let index = SLOTS - 1; index > 1; index -= 1) {
    if (makesNode(page[2 * index], page[2 * index + 1])) text += page[index]?.hash ?? EMPTY_TEXT;
  }
  const bytes = Buffer.allocUnsafe(4 + text.length);
  bytes.writeUInt16BE(taken, 0);
  bytes.writeUInt16BE(leaves, 2);
  bytes.write(text, 4, 'latin1');
  return bytes;
}

/** Reads what {@link encodePage} wrote. @throws ERR_STORAGE_DAMAGED */
export function decodePage(bytes: Uint8Array): Page {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  const mask = (at: number): number => (text.charCodeAt(at) << 8) | text.charCodeAt(at + 1);
  const taken = mask(0);
  const leaves = mask(2);
  const page: Slot[] = [...EMPTY_PAGE];
  let at = 4;
  const next = (): HashText => text.slice(at, (at += 32));
  for (let digit = 0; digit < SLOTS; digit += 1) {
    if (((taken >> digit) & 1) === 0) continue;
    page[SLOTS + digit] = ((leaves >> digit) & 1) === 1 ? new Leaf(next(), next()) : { hash: next() };
  }
  for (let index = SLOTS - 1; index > 1; index -= 1) {
    const left = page[2 * index];
    const right = page[2 * index + 1];
    page[index] = makesNode(left, right) ? { hash: next() } : (left ?? right);
  }
  if (text.length < 4 || at !== text.length) {
    throw failure('ERR_STORAGE_DAMAGED', `a page of the state tree has ${text.length} bytes where ${at} are due`);
  }
  return page;
}
