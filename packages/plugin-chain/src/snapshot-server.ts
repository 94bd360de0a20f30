import { SnapshotAnswer, SnapshotRequest, failure } from '@it-chain/contracts';
import type { SnapshotStore } from './snapshot-store.js';

/** Most bytes of transaction lists in one answer; one list is always given. */
const HISTORY_BYTES = 3 * 1024 * 1024;

/** Answers what peers ask about snapshots. */
export class SnapshotServer {
  readonly #snapshots: SnapshotStore;

  constructor(dependencies: { readonly snapshots: SnapshotStore }) {
    this.#snapshots = dependencies.snapshots;
  }

  /** The answer to one request, encoded. @throws ERR_BLOCK_NOT_FOUND, ERR_DATA_MALFORMED */
  async answer(body: Uint8Array): Promise<Uint8Array> {
    const { pageOf, page: index, historyFrom } = SnapshotRequest.decode(body);
    if (pageOf !== undefined) {
      const page = await this.#snapshots.page(pageOf, index);
      if (page === undefined) {
        throw failure('ERR_BLOCK_NOT_FOUND', `there is no page ${index} of a snapshot of height ${pageOf} any more`);
      }
      return SnapshotAnswer.encode({ page, history: [] });
    }
    if (historyFrom !== undefined) {
      const history = await this.#snapshots.history(historyFrom, HISTORY_BYTES);
      return SnapshotAnswer.encode({ history });
    }
    return SnapshotAnswer.encode({ snapshot: await this.#snapshots.offered(), history: [] });
  }
}
