import { concatBytes, sha256, toHex, type SignatureCheck } from '@it-chain/contracts';

/** Remembers which signatures were found valid, the latest `capacity` of them: the same votes come again and again. */
export class VerifiedCache {
  readonly #capacity: number;
  #recent = new Set<string>();
  #older = new Set<string>();

  constructor(options: { readonly capacity: number }) {
    this.#capacity = options.capacity;
  }

  has(key: string): boolean {
    return this.#recent.has(key) || this.#older.has(key);
  }

  /** Two generations: when the younger is full the older is forgotten, so that no single entry has to be aged. */
  add(key: string): void {
    this.#recent.add(key);
    if (this.#recent.size * 2 <= this.#capacity) return;
    this.#older = this.#recent;
    this.#recent = new Set();
  }
}

/** What a check is remembered by: key, message and signature together. */
export function checkKey({ publicKey, message, signature }: SignatureCheck): string {
  return toHex(sha256(concatBytes(publicKey, signature, message)));
}
