import {
  PEER_KINDS,
  PoolEntries,
  TransactionBatch,
  messageOf,
  type Cancel,
  type Clock,
  type Log,
  type Transport,
} from '@it-chain/contracts';
import type { PendingSet, PendingTransaction } from './pending-set.js';
import { isTransient } from './screen.js';

/** How transactions are passed on. */
export interface SpreaderOptions {
  readonly maxCount: number;
  readonly maxBytes: number;
  readonly relayMs: number;
  readonly retryMs: number;
  readonly maxRetryMs: number;
}

interface Target {
  readonly nodeId: string;
  /** Arrival of the last one that was given, of clients of this node and of other peers. */
  local: number;
  relayed: number;
  busy: boolean;
  failures: number;
  /** Arrival before the first one that the peer had no room for, to be given again. */
  again: number | undefined;
  cancel: Cancel | undefined;
}

interface Batch {
  readonly transactions: readonly PendingTransaction[];
  readonly local: number;
  readonly relayed: number;
}

/**
 * Gives every pooled transaction to every connected peer, in the order of arrival, one acknowledged batch at a time. All it
 * keeps per peer is how far it has come. What came from a client of this node goes at once; what came from a peer goes a
 * little later and never back to that peer: in a full mesh it is committed by then, in a sparse one it is passed on.
 */
export class Spreader {
  readonly #options: SpreaderOptions;
  readonly #pending: PendingSet;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #targets = new Map<string, Target>();
  #relayTimer: Cancel | undefined;
  #stopped = false;

  constructor(
    options: SpreaderOptions,
    dependencies: {
      readonly pending: PendingSet;
      readonly transport: Transport;
      readonly clock: Clock;
      readonly log: Log;
    },
  ) {
    this.#options = options;
    this.#pending = dependencies.pending;
    this.#transport = dependencies.transport;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
  }

  /** A session is open: the peer is given everything from the oldest on, since it may have lost what it had. */
  connect(nodeId: string): void {
    this.disconnect(nodeId);
    const target: Target = {
      nodeId,
      local: 0,
      relayed: 0,
      busy: false,
      failures: 0,
      again: undefined,
      cancel: undefined,
    };
    this.#targets.set(nodeId, target);
    this.#pump(target);
  }

  /** A session is gone. */
  disconnect(nodeId: string): void {
    this.#targets.get(nodeId)?.cancel?.();
    this.#targets.delete(nodeId);
  }

  /** Makes the targets those that have a session: repairs an event that was lost. */
  reconcile(sessions: readonly string[]): void {
    const open = new Set(sessions);
    for (const nodeId of [...this.#targets.keys()]) if (!open.has(nodeId)) this.disconnect(nodeId);
    for (const nodeId of open) if (!this.#targets.has(nodeId)) this.connect(nodeId);
  }

  /** There is something new to give. */
  wake(): void {
    for (const target of this.#targets.values()) this.#pump(target);
  }

  stop(): void {
    this.#stopped = true;
    this.#relayTimer?.();
    for (const nodeId of [...this.#targets.keys()]) this.disconnect(nodeId);
  }

  #pump(target: Target): void {
    if (this.#stopped || target.busy || (target.failures > 0 && target.cancel !== undefined)) return;
    const batch = this.#collect(target);
    if (batch.transactions.length === 0) {
      target.local = batch.local;
      target.relayed = batch.relayed;
      return;
    }
    target.busy = true;
    void this.#send(target, batch);
  }

  async #send(target: Target, batch: Batch): Promise<void> {
    let given = false;
    try {
      given = await this.#give(target, batch);
    } catch (error) {
      this.#log.debug('a peer did not take transactions', { peer: target.nodeId, reason: messageOf(error) });
    }
    target.busy = false;
    if (this.#targets.get(target.nodeId) !== target) return;
    if (given) {
      target.failures = 0;
      target.local = batch.local;
      target.relayed = batch.relayed;
      this.#pump(target);
      return;
    }
    target.failures += 1;
    this.#later(target);
  }

  /** False where the peer had no room for any of them. */
  async #give(target: Target, { transactions }: Batch): Promise<boolean> {
    const body = TransactionBatch.encode({ transactions: transactions.map(({ encoded }) => encoded) });
    const answer = await this.#transport.fetch({ peer: target.nodeId, kind: PEER_KINDS.transactions, body });
    const { entries } = PoolEntries.decode(answer.body);
    const refused = transactions.filter((_, index) => {
      const entry = entries[index];
      return entry === undefined || (entry.state === 'rejected' && isTransient(entry.code));
    });
    const first = refused[0];
    if (first === undefined) return true;
    if (refused.length === transactions.length) return false;
    // Others behind them may have room: go on, and come back to these after a pause.
    target.again = Math.min(target.again ?? Infinity, first.arrival - 1);
    this.#later(target);
    return true;
  }

  /** After a pause that doubles with each failure, goes on, from the first refused one where there is one. */
  #later(target: Target): void {
    if (target.cancel !== undefined) return;
    const { retryMs, maxRetryMs } = this.#options;
    const pause =
      target.failures === 0 ? maxRetryMs : Math.min(maxRetryMs, retryMs * 2 ** Math.min(20, target.failures - 1));
    target.cancel = this.#clock.after(pause, () => {
      target.cancel = undefined;
      if (target.again !== undefined && !target.busy) {
        target.local = Math.min(target.local, target.again);
        target.relayed = Math.min(target.relayed, target.again);
        target.again = undefined;
      }
      this.#pump(target);
    });
  }

  #collect(target: Target): Batch {
    const { maxCount, maxBytes, relayMs } = this.#options;
    const due = this.#clock.now() - relayMs;
    const transactions: PendingTransaction[] = [];
    let { local, relayed } = target;
    let size = 0;
    let relayOpen = true;
    for (const transaction of this.#pending.after(Math.min(local, relayed))) {
      const { arrival, from, at, encoded } = transaction;
      const isLocal = from === '';
      if (!isLocal && relayOpen && arrival > relayed && at > due) {
        relayOpen = false;
        this.#relayLater();
      }
      const wanted = isLocal ? arrival > local : relayOpen && arrival > relayed && from !== target.nodeId;
      if (wanted) {
        if (transactions.length >= maxCount || (transactions.length > 0 && size + encoded.length > maxBytes)) break;
        transactions.push(transaction);
        size += encoded.length;
      }
      local = Math.max(local, arrival);
      if (relayOpen) relayed = Math.max(relayed, arrival);
    }
    return { transactions, local, relayed };
  }

  #relayLater(): void {
    if (this.#relayTimer !== undefined || this.#stopped) return;
    this.#relayTimer = this.#clock.after(Math.max(1, this.#options.relayMs), () => {
      this.#relayTimer = undefined;
      this.wake();
    });
  }
}
