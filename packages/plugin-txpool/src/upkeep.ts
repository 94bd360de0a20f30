import { messageOf, type Cancel, type Clock, type Log, type Transport } from '@it-chain/contracts';
import type { NetworkView } from './network-view.js';
import type { PoolStore } from './pool-store.js';
import type { Spreader } from './spreader.js';
import type { TransactionPool } from './transaction-pool.js';

/** Turns of the clock between two looks once the node belongs to a network. */
const CALM = 5;

/** What the upkeep works on. */
export interface UpkeepDependencies {
  readonly pool: TransactionPool;
  readonly store: PoolStore;
  readonly view: NetworkView;
  readonly spreader: Spreader;
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
}

/** The slow work of the pool: sweeping its store, and repairing what a lost event has left undone. */
export class Upkeep {
  readonly #options: { readonly sweepMs: number; readonly reconcileMs: number };
  readonly #dependencies: UpkeepDependencies;
  #cancels: Cancel[] = [];
  #turn = 0;
  #looking = false;
  #sweeping = false;

  constructor(options: { readonly sweepMs: number; readonly reconcileMs: number }, dependencies: UpkeepDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  start(): void {
    const { clock } = this.#dependencies;
    this.#cancels = [
      clock.every(this.#options.sweepMs, () => {
        void this.#sweep();
      }),
      clock.every(this.#options.reconcileMs, () => {
        this.#turn += 1;
        if (this.#dependencies.view.facts?.founded !== true || this.#turn % CALM === 0) void this.look();
      }),
    ];
    void this.look();
  }

  stop(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels = [];
  }

  /** Asks for the network, the leader, the tip and the sessions. Never throws. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const { pool, view, spreader, transport, log } = this.#dependencies;
    try {
      await pool.lookAtNetwork();
      await view.askLeader();
      await pool.reconcile();
      const { sessions } = await transport.sessions({});
      spreader.reconcile(sessions.map(({ nodeId }) => nodeId));
    } catch (error) {
      // Looked at again at the next turn: the other plugins may not be there yet.
      log.debug('the pool could not look around', { reason: messageOf(error) });
    } finally {
      this.#looking = false;
    }
  }

  async #sweep(): Promise<void> {
    const { store, log } = this.#dependencies;
    if (this.#sweeping || store.unswept === 0) return;
    this.#sweeping = true;
    try {
      await store.sweep();
    } catch (error) {
      log.debug('the store of the pool could not be swept', { reason: messageOf(error) });
    } finally {
      this.#sweeping = false;
    }
  }
}
