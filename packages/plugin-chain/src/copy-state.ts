import type { Application } from '@it-chain/contracts';
import type { SnapshotStore } from './snapshot-store.js';

/** About how large a page of the application's state is, in bytes. */
const PAGE_BYTES = 512 * 1024;

/**
 * Copies the state of the application at `root`, which must be the committed one, into pages of a snapshot.
 * @returns how many; undefined where the application has no snapshots
 */
export async function copyState(
  { height, root }: { readonly height: number; readonly root: Uint8Array },
  { application, snapshots }: { readonly application: Application; readonly snapshots: SnapshotStore },
): Promise<number | undefined> {
  if (application.snapshot === undefined) return undefined;
  let pages = 0;
  for (let cursor: Uint8Array | undefined = new Uint8Array(0); cursor !== undefined; pages += 1) {
    const answer: Awaited<ReturnType<NonNullable<Application['snapshot']>>> = await application.snapshot({
      root,
      cursor,
      maxBytes: PAGE_BYTES,
    });
    await snapshots.writePage(height, pages, answer.page);
    cursor = answer.next;
  }
  return pages;
}
