import { toHex } from '@it-chain/contracts';
import type { Page } from './page.js';
import type { PagePath } from './page-path.js';
import type { PageChanges } from './update-tree.js';

/** Results of dry runs that are remembered until one of them is committed: one per proposal of a height. */
const MAX_PENDING = 8;

/**
 * Pages of the state at one root, the least recently used dropped first. When the state moves to a root that a dry run
 * led to, the pages of that run are taken over; when it moves elsewhere, all is forgotten.
 */
export class PageCache {
  readonly #maxPages: number;
  readonly #pages = new Map<PagePath, Page>();
  readonly #pending = new Map<string, { readonly from: string; readonly pages: PageChanges }>();
  #root = '';

  /** Keeps at most `maxPages` pages, of 0.5 to 3 KiB each. */
  constructor(maxPages: number) {
    this.#maxPages = maxPages;
  }

  get size(): number {
    return this.#pages.size;
  }

  /** The page of the state at `root`, where it is known. */
  get(root: Uint8Array, path: PagePath): Page | undefined {
    this.#moveTo(toHex(root));
    const page = this.#pages.get(path);
    if (page === undefined) return undefined;
    this.#pages.delete(path);
    this.#pages.set(path, page);
    return page;
  }

  /** Remembers pages that were read while the root of the store was `root`, before and after. */
  add(root: Uint8Array, pages: ReadonlyMap<PagePath, Page>): void {
    if (toHex(root) !== this.#root) return;
    for (const [path, page] of pages) this.#set(path, page);
  }

  /** Remembers what a dry run would change. */
  expect(from: Uint8Array, to: Uint8Array, pages: PageChanges): void {
    const key = toHex(to);
    this.#pending.delete(key);
    this.#pending.set(key, { from: toHex(from), pages });
    if (this.#pending.size <= MAX_PENDING) return;
    for (const oldest of this.#pending.keys()) {
      this.#pending.delete(oldest);
      return;
    }
  }

  #moveTo(root: string): void {
    if (root === this.#root) return;
    const led = this.#pending.get(root);
    if (led?.from === this.#root) {
      for (const [path, page] of led.pages) {
        if (page === undefined) this.#pages.delete(path);
        else this.#set(path, page);
      }
    } else this.#pages.clear();
    this.#pending.clear();
    this.#root = root;
  }

  #set(path: PagePath, page: Page): void {
    this.#pages.delete(path);
    this.#pages.set(path, page);
    if (this.#pages.size <= this.#maxPages) return;
    for (const oldest of this.#pages.keys()) {
      this.#pages.delete(oldest);
      return;
    }
  }
}
