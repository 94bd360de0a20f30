import {
  Certificate,
  SystemState,
  isItChainError,
  messageOf,
  type Application,
  type Clock,
  type Log,
  type Snapshot,
} from '@it-chain/contracts';
import type { ChainState } from './chain-state.js';
import type { ChainStore } from './chain-store.js';
import { copyState } from './copy-state.js';
import type { SnapshotStore } from './snapshot-store.js';

/** What the maker works with. */
export interface SnapshotMakerDependencies {
  readonly store: ChainStore;
  readonly snapshots: SnapshotStore;
  readonly application: Application;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Makes a snapshot every so many blocks: copies the state of the application right after the block, before anything else
 * is committed, and offers the copy when the block above has certified its root.
 */
export class SnapshotMaker {
  readonly #everyBlocks: number;
  readonly #keepProofs: boolean;
  readonly #with: SnapshotMakerDependencies;
  /** The copy that waits for the block above. */
  #copied: { readonly state: ChainState; readonly pages: number } | undefined;

  constructor(
    options: { readonly everyBlocks: number; readonly keepProofs: boolean },
    dependencies: SnapshotMakerDependencies,
  ) {
    this.#everyBlocks = options.everyBlocks;
    this.#keepProofs = options.keepProofs;
    this.#with = dependencies;
  }

  /** Called after every commit, before the next one can begin. Never throws: a node without a snapshot goes on. */
  async committed(state: ChainState): Promise<void> {
    if (this.#everyBlocks === 0) return;
    try {
      const copied = this.#copied;
      this.#copied = undefined;
      if (copied !== undefined) await this.#offer(copied, state);
      if (state.tip.height % this.#everyBlocks === 0) await this.#copy(state);
    } catch (error) {
      this.#with.log.warn('no snapshot was made', {
        height: state.tip.height,
        code: isItChainError(error) ? error.code : undefined,
        reason: messageOf(error),
      });
    }
  }

  async #copy(state: ChainState): Promise<void> {
    const { application, snapshots, clock, log } = this.#with;
    const { height, applicationRoot: root } = state.tip;
    const began = clock.monotonic();
    const pages = await copyState({ height, root }, { application, snapshots });
    if (pages === undefined) return;
    this.#copied = { state, pages };
    log.info('the state was copied for a snapshot', { height, pages, ms: Math.round(clock.monotonic() - began) });
  }

  async #offer({ state, pages }: { state: ChainState; pages: number }, now: ChainState): Promise<void> {
    const { store, snapshots, log } = this.#with;
    const { height, applicationRoot } = state.tip;
    const [stored, next, sets] = [
      await store.header(height),
      await store.header(height + 1),
      await snapshots.setChanges(height),
    ];
    if (now.tip.height !== height + 1 || stored === undefined || next === undefined || sets === undefined) {
      log.warn('a snapshot is not offered: its proof cannot be made', { height });
      return;
    }
    const snapshot: Snapshot = {
      version: 1,
      height,
      header: stored.header,
      next: next.header,
      certificate: Certificate.decode(next.certificate),
      system: SystemState.encode(state.system),
      applicationRoot,
      pages,
      sets,
    };
    await snapshots.offer(snapshot, this.#keepProofs);
    log.info('a snapshot is offered to peers', { height, pages, changes: sets.length });
  }
}
