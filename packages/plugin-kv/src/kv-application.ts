import {
  KV_CODES,
  KvRangeAnswer,
  KvRangeQuery,
  SPARSE_EMPTY,
  concatBytes,
  heightKey,
  messageOf,
  type Application,
  type ApplicationCheck,
  type ApplicationInfo,
  type ApplicationVerdicts,
  type ApplicationWrite,
  type Call,
  type ExecuteAnswer,
  type ExecuteRequest,
  type Infer,
  type QueryAnswer,
  type QueryRequest,
  type Receipt,
  type RestoreAnswer,
  type RestoreRequest,
  type Served,
  type StatePage,
  type StatePageRequest,
  type Storage,
} from '@it-chain/contracts';
import { EMPTY_TEXT, bytesOf, hashText, textOf, type HashText } from './fast-hash.js';
import { judge, readOperation } from './operation.js';
import { encodePage } from './page.js';
import { PageCache } from './page-cache.js';
import { pageKey } from './page-path.js';
import { prove } from './prove.js';
import { readStatePage, restoreStatePage } from './state-pages.js';
import { StateReader, keys } from './state-reader.js';
import { findLeaf, updateTree, type Change, type PageChanges } from './update-tree.js';

/** What the application is made with. */
export interface KvApplicationOptions {
  /** Pages of the state tree kept in memory, of 0.5 to 3 KiB each. */
  readonly cachePages: number;
}

/** What the application needs around it. */
export interface KvApplicationDependencies {
  readonly storage: Served<typeof Storage>;
}

const NAME = 'kv/1';
const DEFAULT_RANGE = 100;
const MAX_RANGE = 1_000;

/** A key of the block and what it holds after the transactions so far. */
interface Touched {
  readonly key: Uint8Array;
  /** SHA-256 of the key. */
  readonly hash: HashText;
  /** Hash of the value before the block. */
  before: HashText | undefined;
  /** Hash of the value now. */
  now: HashText | undefined;
  value: Uint8Array | undefined;
}

/** The application `kv/1`: keys and values, with a state root and proofs of presence and absence. */
export class KvApplication implements Served<typeof Application> {
  readonly #storage: Served<typeof Storage>;
  readonly #cache: PageCache;

  constructor(options: KvApplicationOptions, dependencies: KvApplicationDependencies) {
    this.#storage = dependencies.storage;
    this.#cache = new PageCache(options.cachePages);
  }

  /** Pages of the state tree in memory. */
  get cachedPages(): number {
    return this.#cache.size;
  }

  /** The call `application.info`. */
  info(): Promise<Infer<typeof ApplicationInfo>> {
    return Promise.resolve({ name: NAME, emptyRoot: SPARSE_EMPTY });
  }

  /** The call `application.check`. */
  check({ transactions }: Infer<typeof ApplicationCheck>): Promise<Infer<typeof ApplicationVerdicts>> {
    const verdicts = transactions.map(({ payload }) => {
      const read = readOperation(payload);
      return 'refused' in read
        ? { ok: false, code: 'ERR_KV_MALFORMED', reason: read.refused }
        : { ok: true, code: '', reason: '' };
    });
    return Promise.resolve({ verdicts });
  }

  /** The call `application.execute`. */
  async execute(request: Infer<typeof ExecuteRequest>, call?: Call): Promise<ExecuteAnswer> {
    const operations = request.transactions.map(({ payload }) => readOperation(payload));
    const touched = new Map<string, Touched>();
    const touch = (key: Uint8Array): Touched => {
      // One character for each byte, so no two keys share a name.
      const name = textOf(key);
      let entry = touched.get(name);
      if (entry === undefined) {
        entry = { key, hash: hashText(key), before: undefined, now: undefined, value: undefined };
        touched.set(name, entry);
      }
      return entry;
    };
    const entries = operations.map((operation) => ('refused' in operation ? undefined : touch(operation.key)));
    const reader = await StateReader.at(request.previousRoot, call, { storage: this.#storage, cache: this.#cache });
    await reader.load([...touched.values()].map(({ hash }) => hash));
    await reader.finish();
    for (const entry of touched.values()) entry.before = entry.now = findLeaf(entry.hash, reader.page)?.value;

    const receipts = request.transactions.map(({ id }, index): Receipt => {
      const operation = operations[index];
      const entry = entries[index];
      if (operation === undefined || entry === undefined || 'refused' in operation) {
        // Always the same words: receipts are equal on all nodes, and the library's words may change.
        return receiptOf(id, KV_CODES.malformed, `ERR_KV_MALFORMED: the payload is no operation of ${NAME}`);
      }
      const { code, message } = judge(operation, entry.now);
      if (code === KV_CODES.done) {
        entry.value = operation.value;
        entry.now = operation.value === undefined ? undefined : hashText(operation.value);
      }
      return receiptOf(id, code, message);
    });

    const changed = [...touched.values()].filter(({ before, now }) => before !== now);
    if (changed.length === 0) return { receipts, root: request.previousRoot, writes: [] };
    const changes = changed.map(({ hash, now }): Change => ({ key: hash, value: now }));
    const { root, pages } = updateTree(changes, reader.page);
    const rootHash = bytesOf(root?.hash ?? EMPTY_TEXT);
    this.#cache.expect(request.previousRoot, rootHash, pages);
    return { receipts, root: rootHash, writes: writesOf(changed, pages, rootHash, request.height) };
  }

  /** The call `application.query`. */
  async query(request: Infer<typeof QueryRequest>, call?: Call): Promise<QueryAnswer> {
    if (request.path === 'get') return this.#get(request, call);
    if (request.path === 'range') return this.#range(request, call);
    return notUnderstood(`"${request.path.slice(0, 40)}" is no query of ${NAME}`);
  }

  /** The call `application.snapshot`. */
  snapshot(request: Infer<typeof StatePageRequest>, call?: Call): Promise<Infer<typeof StatePage>> {
    return readStatePage(request, call, { storage: this.#storage, cache: this.#cache });
  }

  /** The call `application.restore`. */
  restore(request: Infer<typeof RestoreRequest>, call?: Call): Promise<Infer<typeof RestoreAnswer>> {
    return restoreStatePage(request, call, { storage: this.#storage, cache: this.#cache });
  }

  async #get({ data: key, root, prove: wantsProof }: Infer<typeof QueryRequest>, call?: Call): Promise<QueryAnswer> {
    const reader = await StateReader.at(root, call, { storage: this.#storage, cache: this.#cache });
    const { values } = await this.#storage.read({ namespace: 'app', keys: [keys.value(key)] }, call);
    const keyHash = hashText(key);
    if (wantsProof) await reader.load([keyHash]);
    await reader.finish();
    const value = values[0]?.value;
    const proof = wantsProof ? prove(keyHash, reader.page) : NO_BYTES;
    return { found: value !== undefined, data: value ?? NO_BYTES, proof, code: KV_CODES.done };
  }

  async #range({ data, root }: Infer<typeof QueryRequest>, call?: Call): Promise<QueryAnswer> {
    let wanted: Infer<typeof KvRangeQuery>;
    try {
      wanted = KvRangeQuery.decode(data);
    } catch (error) {
      return notUnderstood(messageOf(error));
    }
    const { from, to, reverse } = wanted;
    const limit = Math.min(wanted.limit === 0 ? DEFAULT_RANGE : wanted.limit, MAX_RANGE);
    const reader = await StateReader.at(root, call, { storage: this.#storage, cache: this.#cache });
    const end = to === undefined ? keys.valuesEnd : keys.value(to);
    const { entries, more } = await this.#storage.range(
      { namespace: 'app', from: keys.value(from), to: end, limit, maxBytes: 0, reverse },
      call,
    );
    await reader.finish();
    const answer = { entries: entries.map(({ key, value }) => ({ key: key.subarray(2), value })), more };
    return { found: entries.length > 0, data: KvRangeAnswer.encode(answer), proof: NO_BYTES, code: KV_CODES.done };
  }
}

const NO_BYTES = new Uint8Array(0);

const receiptOf = (id: Uint8Array, code: number, message: string): Receipt => ({ id, code, output: NO_BYTES, message });

function notUnderstood(reason: string): QueryAnswer {
  return { found: false, data: Buffer.from(reason, 'utf8'), proof: NO_BYTES, code: KV_CODES.malformed };
}

/** What chain writes: values, pages of the tree, and the new root. */
function writesOf(
  changed: readonly Touched[],
  pages: PageChanges,
  root: Uint8Array,
  height: number,
): ApplicationWrite[] {
  const writes: ApplicationWrite[] = changed.map(({ key, value }) => ({ key: keys.value(key), value }));
  for (const [path, page] of pages) {
    writes.push({ key: pageKey(path), value: page === undefined ? undefined : encodePage(page) });
  }
  writes.push({ key: keys.root, value: concatBytes(root, heightKey(height)) });
  return writes;
}
