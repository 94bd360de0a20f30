import type { HashText } from './fast-hash.js';

/** Where a page stands: the hexadecimal digits of the key hashes below it. The root's path is empty. */
export type PagePath = string;

const DIGITS = '0123456789abcdef';

/** The digit of a key hash that chooses the slot in the page at `path`. */
export function digitBelow(path: PagePath, hash: HashText): number {
  const byte = hash.charCodeAt(path.length >> 1);
  return path.length % 2 === 0 ? byte >> 4 : byte & 15;
}

/** The path of the page under a slot. */
export const childPath = (path: PagePath, digit: number): PagePath => path + DIGITS.charAt(digit);

/** Digits of the longest path: a page there has all but the last digit of a hash above it. */
export const MAX_PATH = 63;

const PAGE_TAG = 'n'.charCodeAt(0);

/** The key of a page in the keyspace: `n`, the number of digits, the digits two in a byte. */
export function pageKey(path: PagePath): Uint8Array {
  const key = Buffer.alloc(2 + ((path.length + 1) >> 1));
  key[0] = PAGE_TAG;
  key[1] = path.length;
  key.write(path.length % 2 === 0 ? path : `${path}0`, 2, 'hex');
  return key;
}
