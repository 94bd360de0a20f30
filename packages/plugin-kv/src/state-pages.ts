import {
  KvRangeAnswer,
  concatBytes,
  failure,
  heightKey,
  type ApplicationWrite,
  type Call,
  type Infer,
  type RestoreAnswer,
  type RestoreRequest,
  type Served,
  type StatePage,
  type StatePageRequest,
  type Storage,
} from '@it-chain/contracts';
import { EMPTY_TEXT, bytesOf, hashText } from './fast-hash.js';
import { encodePage } from './page.js';
import type { PageCache } from './page-cache.js';
import { pageKey } from './page-path.js';
import { StateReader, keys } from './state-reader.js';
import { updateTree } from './update-tree.js';

/** Keys in one page at most. */
const PAGE_KEYS = 10_000;

interface Dependencies {
  readonly storage: Served<typeof Storage>;
  readonly cache: PageCache;
}

/** A page of the committed state: keys and values in the order of keys. The tree follows from them. */
export async function readStatePage(
  { root, cursor, maxBytes }: Infer<typeof StatePageRequest>,
  call: Call | undefined,
  dependencies: Dependencies,
): Promise<Infer<typeof StatePage>> {
  const reader = await StateReader.at(root, call, dependencies);
  const { entries, more } = await dependencies.storage.range(
    {
      namespace: 'app',
      from: keys.value(cursor),
      to: keys.valuesEnd,
      limit: PAGE_KEYS,
      maxBytes,
      reverse: false,
    },
    call,
  );
  await reader.finish();
  const pairs = entries.map(({ key, value }) => ({ key: key.subarray(2), value }));
  const last = pairs.at(-1);
  const page = KvRangeAnswer.encode({ entries: pairs, more });
  // The first key behind the last one of this page.
  return more && last !== undefined ? { page, next: concatBytes(last.key, new Uint8Array(1)) } : { page };
}

/** Takes a page in, dry. @throws ERR_DATA_MALFORMED, ERR_DATA_INVALID for a page that is none */
export async function restoreStatePage(
  { height, previousRoot, page }: Infer<typeof RestoreRequest>,
  call: Call | undefined,
  dependencies: Dependencies,
): Promise<Infer<typeof RestoreAnswer>> {
  const { entries } = KvRangeAnswer.decode(page);
  const ordered = entries.every(({ key }, index) => {
    const before = entries[index - 1];
    return before === undefined || Buffer.compare(before.key, key) < 0;
  });
  if (!ordered) throw failure('ERR_DATA_INVALID', 'the keys of a page of the state are not in their order');
  if (entries.length === 0) return { root: previousRoot, writes: [] };
  const changes = entries.map(({ key, value }) => ({ key: hashText(key), value: hashText(value) }));
  const reader = await StateReader.at(previousRoot, call, dependencies);
  await reader.load(changes.map(({ key }) => key));
  await reader.finish();
  const { root, pages } = updateTree(changes, reader.page);
  const rootHash = bytesOf(root?.hash ?? EMPTY_TEXT);
  dependencies.cache.expect(previousRoot, rootHash, pages);
  const writes: ApplicationWrite[] = entries.map(({ key, value }) => ({ key: keys.value(key), value }));
  for (const [path, changed] of pages) {
    writes.push({ key: pageKey(path), value: changed === undefined ? undefined : encodePage(changed) });
  }
  writes.push({ key: keys.root, value: concatBytes(rootHash, heightKey(height)) });
  return { root: rootHash, writes };
}
