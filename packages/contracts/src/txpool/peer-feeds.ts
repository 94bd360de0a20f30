import { TransactionBatch } from '../data/transaction.js';
import { messageOf } from '../errors/it-chain-error.js';
import type { Cancel, Clock } from '../plugin/clock.js';
import type { Log } from '../plugin/log.js';
import { PEER_KINDS, type Transport } from '../roles/transport.js';
import { PoolEntries } from '../roles/txpool.js';
import type { Waiting } from './ordered-pool.js';

/** How transactions are passed on. */
export interface PeerFeedOptions {
  readonly batchCount: number;
  readonly batchBytes: number;
  readonly retryMs: number;
}

/** What the feeds work with. */
export interface PeerFeedDependencies {
  /** What waits, in the order of arrival. */
  readonly waiting: () => Iterable<Waiting>;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
}

interface Feed {
  readonly nodeId: string;
  /** Arrival of the last one that the peer was given. */
  given: number;
  busy: boolean;
  pause: Cancel | undefined;
}

/** Codes that may be another answer later: the batch is sent again. */
const LATER = new Set(['ERR_TXPOOL_FULL', 'ERR_TXPOOL_SENDER_LIMIT', 'ERR_TX_EXPIRY_TOO_FAR']);

/**
 * Gives every connected peer everything that waits, in the order of arrival, one acknowledged batch at a time, and never
 * back to the peer that sent it. All it keeps per peer is how far it has come.
 */
export class PeerFeeds {
  readonly #options: PeerFeedOptions;
  readonly #with: PeerFeedDependencies;
  readonly #feeds = new Map<string, Feed>();

  constructor(options: PeerFeedOptions, dependencies: PeerFeedDependencies) {
    this.#options = options;
    this.#with = dependencies;
  }

  /** Makes the feeds those of the sessions that are open. A new one begins with the oldest: the peer may have lost it. */
  reconcile(nodeIds: readonly string[]): void {
    for (const nodeId of [...this.#feeds.keys()]) if (!nodeIds.includes(nodeId)) this.disconnect(nodeId);
    for (const nodeId of nodeIds) if (!this.#feeds.has(nodeId)) this.connect(nodeId);
  }

  connect(nodeId: string): void {
    this.disconnect(nodeId);
    const feed: Feed = { nodeId, given: 0, busy: false, pause: undefined };
    this.#feeds.set(nodeId, feed);
    void this.#pump(feed);
  }

  disconnect(nodeId: string): void {
    this.#feeds.get(nodeId)?.pause?.();
    this.#feeds.delete(nodeId);
  }

  /** There is something new to give. */
  wake(): void {
    for (const feed of this.#feeds.values()) void this.#pump(feed);
  }

  stop(): void {
    for (const nodeId of [...this.#feeds.keys()]) this.disconnect(nodeId);
  }

  async #pump(feed: Feed): Promise<void> {
    if (feed.busy || feed.pause !== undefined) return;
    feed.busy = true;
    for (let batch = this.#next(feed); batch.length > 0 && this.#isOpen(feed); batch = this.#next(feed)) {
      if (!(await this.#give(feed, batch))) {
        this.#later(feed);
        break;
      }
      feed.given = batch.at(-1)?.arrival ?? feed.given;
    }
    feed.busy = false;
  }

  #isOpen(feed: Feed): boolean {
    return this.#feeds.get(feed.nodeId) === feed;
  }

  #next({ given, nodeId }: Feed): Waiting[] {
    const { batchCount, batchBytes } = this.#options;
    const batch: Waiting[] = [];
    let bytes = 0;
    for (const one of this.#with.waiting()) {
      if (one.arrival <= given || one.from === nodeId) continue;
      bytes += one.encoded.length;
      if (batch.length >= batchCount || (batch.length > 0 && bytes > batchBytes)) break;
      batch.push(one);
    }
    return batch;
  }

  /** False where the peer did not answer, or has no room for one of them now. */
  async #give({ nodeId }: Feed, batch: readonly Waiting[]): Promise<boolean> {
    try {
      const body = TransactionBatch.encode({ transactions: batch.map(({ encoded }) => encoded) });
      const answer = await this.#with.transport.fetch({ peer: nodeId, kind: PEER_KINDS.transactions, body });
      return PoolEntries.decode(answer.body).entries.every(({ code }) => !LATER.has(code));
    } catch (error) {
      this.#with.log.debug('a peer did not take transactions', { peer: nodeId, reason: messageOf(error) });
      return false;
    }
  }

  #later(feed: Feed): void {
    if (!this.#isOpen(feed)) return;
    feed.pause = this.#with.clock.after(this.#options.retryMs, () => {
      feed.pause = undefined;
      void this.#pump(feed);
    });
  }
}
