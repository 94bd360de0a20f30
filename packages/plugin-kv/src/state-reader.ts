import {
  SPARSE_EMPTY,
  concatBytes,
  failure,
  sameBytes,
  toHex,
  utf8,
  type Call,
  type Served,
  type Storage,
} from '@it-chain/contracts';
import type { HashText } from './fast-hash.js';
import { EMPTY_PAGE, decodePage, isLeaf, slotAt, type Page } from './page.js';
import type { PageCache } from './page-cache.js';
import { childPath, digitBelow, pageKey, type PagePath } from './page-path.js';

/** Keys in the keyspace `app`. */
export const keys = {
  /** -> application root (32 bytes) and the height that wrote it (8 bytes). Absent: the empty state. */
  root: utf8('r'),
  /** -> the value itself, in the order of keys. */
  value: (key: Uint8Array): Uint8Array => concatBytes(utf8('v/'), key),
  valuesEnd: utf8('v0'),
} as const;

/** Pages asked for in one request: about 2 MiB at most. */
const PAGES_PER_READ = 2_000;

/** The part of the state tree that one call needs, read while the store stood at one root. */
export class StateReader {
  readonly #storage: Served<typeof Storage>;
  readonly #cache: PageCache;
  readonly #root: Uint8Array;
  readonly #call: Call | undefined;
  readonly #mark: Uint8Array | undefined;
  readonly #pages = new Map<PagePath, Page>();
  readonly #read = new Map<PagePath, Page>();

  private constructor(
    root: Uint8Array,
    mark: Uint8Array | undefined,
    call: Call | undefined,
    dependencies: { readonly storage: Served<typeof Storage>; readonly cache: PageCache },
  ) {
    this.#root = root;
    this.#mark = mark;
    this.#call = call;
    this.#storage = dependencies.storage;
    this.#cache = dependencies.cache;
  }

  /** Begins to read at `root`. @throws ERR_KV_STALE_ROOT where the store stands elsewhere */
  static async at(
    root: Uint8Array,
    call: Call | undefined,
    dependencies: { readonly storage: Served<typeof Storage>; readonly cache: PageCache },
  ): Promise<StateReader> {
    const mark = await readMark(dependencies.storage, call);
    const present = mark?.subarray(0, 32) ?? SPARSE_EMPTY;
    if (!sameBytes(present, root)) throw staleRoot(root);
    return new StateReader(root, mark, call, dependencies);
  }

  /** The page of a path that was loaded. */
  readonly page = (path: PagePath): Page | undefined => this.#pages.get(path);

  /** Loads all pages on the paths of these key hashes, a level at a time. */
  async load(hashes: readonly HashText[]): Promise<void> {
    if (sameBytes(this.#root, SPARSE_EMPTY)) return;
    let level = new Map<PagePath, HashText[]>([['', [...hashes]]]);
    while (level.size > 0) {
      await this.#fetch([...level.keys()]);
      const below = new Map<PagePath, HashText[]>();
      for (const [path, here] of level) {
        const page = this.#pages.get(path) ?? EMPTY_PAGE;
        for (const hash of here) {
          const digit = digitBelow(path, hash);
          const slot = slotAt(page, digit);
          if (slot === undefined || isLeaf(slot)) continue;
          const child = childPath(path, digit);
          const list = below.get(child);
          if (list === undefined) below.set(child, [hash]);
          else list.push(hash);
        }
      }
      level = below;
    }
  }

  /** Makes sure that the store has not moved while it was read. @throws ERR_KV_STALE_ROOT */
  async finish(): Promise<void> {
    const mark = await readMark(this.#storage, this.#call);
    // The height in it tells two visits of one root apart.
    const same = mark === undefined || this.#mark === undefined ? mark === this.#mark : sameBytes(mark, this.#mark);
    if (!same) throw staleRoot(this.#root);
    this.#cache.add(this.#root, this.#read);
  }

  async #fetch(paths: readonly PagePath[]): Promise<void> {
    const missing: PagePath[] = [];
    for (const path of paths) {
      const known = this.#cache.get(this.#root, path);
      if (known === undefined) missing.push(path);
      else this.#pages.set(path, known);
    }
    for (let from = 0; from < missing.length; from += PAGES_PER_READ) {
      const some = missing.slice(from, from + PAGES_PER_READ);
      const { values } = await this.#storage.read({ namespace: 'app', keys: some.map(pageKey) }, this.#call);
      some.forEach((path, index) => {
        const value = values[index]?.value;
        if (value === undefined) return;
        const page = decodePage(value);
        this.#pages.set(path, page);
        this.#read.set(path, page);
      });
    }
    const absent = missing.find((path) => !this.#pages.has(path));
    if (absent === undefined) return;
    // Gone because the store moved on, or damaged: finish tells them apart.
    await this.finish();
    throw failure('ERR_STORAGE_DAMAGED', `the page "${absent}" of the state tree at ${toHex(this.#root)} is missing`);
  }
}

async function readMark(storage: Served<typeof Storage>, call: Call | undefined): Promise<Uint8Array | undefined> {
  const { values } = await storage.read({ namespace: 'app', keys: [keys.root] }, call);
  return values[0]?.value;
}

/** The error for a root that the store does not stand at. */
export function staleRoot(root: Uint8Array): Error {
  return failure('ERR_KV_STALE_ROOT', `the committed state is not the one at the root ${toHex(root)}`, {
    retryable: true,
    hint: 'Ask again at the root of the new tip.',
  });
}
