import type { Namespace, Storage } from '@it-chain/contracts';

/** Entries that are copied in one write. */
const AT_ONCE = 500;

/** Copies all of a namespace from one store to another, synced. @throws ERR_STORAGE_DAMAGED where an entry cannot be read */
export async function copyNamespace(from: Storage, to: Storage, namespace: Namespace): Promise<void> {
  for (let next = new Uint8Array(0); ;) {
    const page = await from.range({ namespace, from: next, limit: AT_ONCE, maxBytes: 0, reverse: false });
    const last = page.entries.at(-1);
    if (last === undefined) return;
    const writes = page.entries.map(({ key, value }) => ({ namespace, key, value }));
    await to.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
    if (!page.more) return;
    next = new Uint8Array([...last.key, 0]);
  }
}
