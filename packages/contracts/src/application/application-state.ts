import { concatBytes, toHex, utf8 } from '../data/hash.js';
import { SparseTree } from '../data/sparse-tree.js';
import { failure } from '../errors/fail.js';
import type { Call } from '../plugin/role.js';
import type { ApplicationWrite } from '../roles/application.js';
import type { Storage } from '../roles/storage.js';
import { sameBytes } from '../schema/index.js';

/** States of this many roots are kept: the committed one, and those of blocks that were executed and may be committed. */
const MAX_STATES = 8;
const NOTHING = new Uint8Array(0);

/**
 * The state of an application that fits into memory: a {@link SparseTree} of what is in its keyspace `app`, whose root is
 * the application root. Nothing lasts here: after a restart, and where another block than expected was committed, it is
 * read from the store again.
 */
export class ApplicationState {
  readonly #storage: Storage;
  readonly #states = new Map<string, SparseTree>();

  constructor(dependencies: { readonly storage: Storage }) {
    this.#storage = dependencies.storage;
    this.#keep(SparseTree.EMPTY);
  }

  /**
   * The state at a root, to read and to prove.
   * @throws ERR_APPLICATION_STALE_ROOT (retryable) where it is neither the committed one nor one that was just executed
   */
  async at(root: Uint8Array, call?: Call): Promise<SparseTree> {
    const known = this.#states.get(toHex(root));
    if (known !== undefined) return known;
    const stored = await this.#load(call);
    if (!sameBytes(stored.root, root)) {
      throw failure('ERR_APPLICATION_STALE_ROOT', `the committed state is not the one at the root ${toHex(root)}`, {
        retryable: true,
        hint: 'Ask again at the root of the new tip.',
      });
    }
    return this.#keep(stored);
  }

  /** Begins a block on the state at `root`. @throws ERR_APPLICATION_STALE_ROOT */
  async draft(root: Uint8Array, call?: Call): Promise<StateDraft> {
    return new StateDraft(await this.at(root, call), (tree) => this.#keep(tree));
  }

  #keep(tree: SparseTree): SparseTree {
    const name = toHex(tree.root);
    this.#states.delete(name);
    this.#states.set(name, tree);
    const oldest = this.#states.keys().next();
    if (this.#states.size > MAX_STATES && oldest.done !== true) this.#states.delete(oldest.value);
    return tree;
  }

  async #load(call: Call | undefined): Promise<SparseTree> {
    let tree = SparseTree.EMPTY;
    for (let from: Uint8Array = NOTHING; ;) {
      const page = await this.#storage.range({ namespace: 'app', from, limit: 0, maxBytes: 0, reverse: false }, call);
      for (const { key, value } of page.entries) tree = tree.with(key, value);
      const last = page.entries.at(-1);
      if (!page.more || last === undefined) return tree;
      from = concatBytes(last.key, new Uint8Array(1));
    }
  }
}

/** What a block does to the state, step by step; lasting only once chain has committed the writes. */
export class StateDraft {
  readonly #before: SparseTree;
  readonly #done: (tree: SparseTree) => void;
  readonly #changed = new Map<string, { readonly key: Uint8Array; readonly value: Uint8Array | undefined }>();

  constructor(before: SparseTree, done: (tree: SparseTree) => void) {
    this.#before = before;
    this.#done = done;
  }

  /** The value of a key after what was set so far. */
  get(key: Uint8Array): Uint8Array | undefined {
    const changed = this.#changed.get(toHex(key));
    return changed === undefined ? this.#before.get(key) : changed.value;
  }

  /** Sets a key; undefined takes it out. */
  set(key: Uint8Array, value: Uint8Array | undefined): void {
    this.#changed.set(toHex(key), { key, value });
  }

  /** Ends the draft: the root after it, and the writes that lead there, one for each key that is not what it was. */
  finish(): { readonly root: Uint8Array; readonly writes: ApplicationWrite[] } {
    let tree = this.#before;
    const writes: ApplicationWrite[] = [];
    // In the order of keys, so that equal blocks give equal bytes.
    for (const [, { key, value }] of [...this.#changed].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const before = this.#before.get(key);
      if (value === undefined ? before === undefined : before !== undefined && sameBytes(before, value)) continue;
      tree = tree.with(key, value);
      writes.push(value === undefined ? { key } : { key, value });
    }
    this.#done(tree);
    return { root: tree.root, writes };
  }
}

/** A key of a kind of thing: the kind, a slash, the bytes. */
export const stateKey = (kind: string, id: Uint8Array): Uint8Array => concatBytes(utf8(`${kind}/`), id);
