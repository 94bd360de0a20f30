import { toHex } from '@it-chain/contracts';
import type { CoreWorld } from './core-world.js';
import type { SimulatedProcess } from './process.js';

/** The transactions that wait at each process, how they spread, and what a machine is told of them. */
export class CorePools<State> {
  readonly #world: CoreWorld<State>;

  constructor(world: CoreWorld<State>) {
    this.#world = world;
  }

  /** A transaction comes to a process. */
  add(node: SimulatedProcess<State>, transaction: string): void {
    if (node.pool.has(transaction) || node.chain.has(transaction)) return;
    node.pool.set(transaction, this.#world.moments.steadyOf(node));
    node.stuck = false;
    this.tellWork(node);
  }

  /** A process passes a transaction on to all others. */
  gossip(node: SimulatedProcess<State>, transaction: string): void {
    const { nodes, links, queue } = this.#world;
    for (const target of nodes) {
      if (target === node) continue;
      for (const delay of links.plan(node.index, target.index)) {
        queue.after(delay, () => {
          if (target.alive) this.add(target, transaction);
        });
      }
    }
  }

  /** Once a second: another process gets some of what waits, should it have been lost on the way. */
  poll(node: SimulatedProcess<State>): void {
    const world = this.#world;
    node.stuck = false;
    const target = node.random.pick(world.nodes);
    if (target !== node && !world.links.isCut(node.index, target.index) && target.alive) {
      let left = 5;
      for (const transaction of node.pool.keys()) {
        if (left-- === 0) break;
        this.add(target, transaction);
      }
    }
    if (!world.isByzantine(node.identity)) {
      world.invariants.onBuffers(node.index, world.machine.buffers(node.state));
    }
    this.tellWork(node);
  }

  tellWork(node: SimulatedProcess<State>): void {
    if (!node.alive) return;
    const pooled = node.pool.size > 0 && !node.stuck;
    this.#world.input(node, { type: 'work', pooled, leaderDown: this.#isLeaderDown(node) });
  }

  #isLeaderDown(node: SimulatedProcess<State>): boolean {
    if (node.downSince.size === 0) return false;
    const { machine, keyring, now, baseTimeoutMs } = this.#world;
    const { leader } = machine.view(node.state);
    for (const [identity, since] of node.downSince) {
      if (toHex(keyring.key(identity)) !== leader) continue;
      return now - since >= 2 * baseTimeoutMs;
    }
    return false;
  }
}
