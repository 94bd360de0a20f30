import { isItChainError, messageOf, type Log } from '@it-chain/contracts';
import type { ChainState } from './chain-state.js';
import type { SnapshotStore } from './snapshot-store.js';

/** Blocks that are removed with one commit at most, so that no commit waits long for it. */
const PER_COMMIT = 20;

/**
 * Removes old blocks: once a snapshot is further back than what is to be kept, the chain begins with it, and the
 * blocks below go, a few with each commit. What the window needs of them, their transaction lists, stays.
 */
export class Pruner {
  readonly #keepBlocks: number;
  readonly #everyBlocks: number;
  readonly #snapshots: SnapshotStore;
  readonly #log: Log;

  constructor(
    options: { readonly keepBlocks: number; readonly everyBlocks: number },
    dependencies: { readonly snapshots: SnapshotStore; readonly log: Log },
  ) {
    this.#keepBlocks = options.keepBlocks;
    this.#everyBlocks = options.everyBlocks;
    this.#snapshots = dependencies.snapshots;
    this.#log = dependencies.log;
  }

  /** Not waited for: the next block must not stand behind it. */
  #compact(height: number): void {
    this.#snapshots.compact(height).then(
      () => {
        this.#log.info('old blocks are removed', { upTo: height });
      },
      (error: unknown) => {
        // The space comes back later, when the store compacts by itself.
        this.#log.debug('the space of old blocks was not given back at once', { reason: messageOf(error) });
      },
    );
  }

  /** Called after every commit. Never throws: a block that was not removed is removed with a later one. */
  async committed({ tip, genesis }: ChainState): Promise<void> {
    if (this.#keepBlocks === 0 || this.#everyBlocks === 0) return;
    try {
      // Snapshots are made at multiples of this alone.
      const upTo = tip.height - this.#keepBlocks;
      const moved = upTo % this.#everyBlocks === 0 ? await this.#snapshots.moveBase(upTo) : undefined;
      if (moved !== undefined) this.#log.info('the chain begins with a snapshot now', { height: moved });
      const oldest = tip.height - 2 * genesis.window;
      const done = await this.#snapshots.prune(PER_COMMIT, oldest);
      if (done !== undefined) this.#compact(done);
    } catch (error) {
      this.#log.warn('old blocks were not removed', {
        height: tip.height,
        code: isItChainError(error) ? error.code : undefined,
        reason: messageOf(error),
      });
    }
  }
}
