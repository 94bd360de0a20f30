import type { ChainTip } from '@it-chain/contracts';
import { countLeftOut } from './complaint.js';
import type { CoreMail } from './core-mail.js';
import type { CorePools } from './core-pools.js';
import type { CoreWorld } from './core-world.js';
import type { MachineEffect } from './machine.js';
import type { SimulatedProcess } from './process.js';
import type { CommittedBlock } from './stub-chain.js';

const FUTURE_MS = 10_000;

/** What the chain of a process does for its machine: builds, checks, commits, and fetches from others. */
export class CoreLedger<State> {
  readonly #world: CoreWorld<State>;
  readonly #mail: CoreMail<State>;
  readonly #pools: CorePools<State>;

  constructor(world: CoreWorld<State>, mail: CoreMail<State>, pools: CorePools<State>) {
    this.#world = world;
    this.#mail = mail;
    this.#pools = pools;
  }

  build(node: SimulatedProcess<State>, height: number, round: number): void {
    const { moments } = this.#world;
    moments.later(node, () => {
      if (node.tip.height + 1 !== height) return;
      const { strategy } = node;
      const pool = [...node.pool.keys()].filter((one) => strategy?.admit?.(one) ?? true);
      const { block, digest } = node.chain.build(pool, moments.clockOf(node));
      this.#world.input(node, { type: 'built', height, round, block, digest });
    });
  }

  check(node: SimulatedProcess<State>, effect: Extract<MachineEffect, { type: 'check' }>): void {
    const world = this.#world;
    const { block, fresh, height, check } = effect;
    world.moments.later(node, () => {
      const problem = node.chain.problemOf(block, fresh, world.moments.clockOf(node), FUTURE_MS);
      if (problem !== undefined) world.sayOf(node, `finds a block of height ${height} invalid: ${problem}`);
      world.input(node, { type: 'checked', check, verdict: problem === undefined ? 'valid' : 'invalid' });
    });
  }

  decide(node: SimulatedProcess<State>, height: number, committed: CommittedBlock): void {
    const world = this.#world;
    // The header decides the digest; a body that is not its own must come again from elsewhere.
    const problem = node.tip.height + 1 === height ? node.chain.problemOf(committed.block, false, 0, 0) : undefined;
    if (problem !== undefined) {
      world.moments.later(node, () => world.input(node, { type: 'decide-failed', height }));
      return;
    }
    let before = node.tip;
    let after = before;
    world.write(
      node,
      () => {
        // A sync may have been faster.
        if (node.tip.height + 1 !== height) return;
        before = node.tip;
        after = node.chain.append(committed);
        this.#verify(node, committed, before, after);
      },
      () => {
        if (after !== before) this.#afterCommit(node, committed);
      },
    );
  }

  /** Sends committed blocks to a process that is behind. */
  sendDecided(node: SimulatedProcess<State>, effect: Extract<MachineEffect, { type: 'send-decided' }>): void {
    this.#world.moments.later(node, () => {
      for (const committed of node.chain.blocks.slice(effect.from - 1, effect.from - 1 + effect.count)) {
        this.#mail.send(node, [effect.to], { kind: 'decided', ...committed }, 0);
      }
    });
  }

  /** Asks another node for the blocks above the tip; each is verified like one of a stranger. */
  sync(node: SimulatedProcess<State>, identity: number): void {
    const { byIdentity, links, queue, moments } = this.#world;
    const source = byIdentity.get(identity)?.[0];
    if (source?.alive !== true) return;
    for (const there of links.plan(node.index, source.index)) {
      queue.after(there, () => {
        if (!source.alive || !node.alive) return;
        const held = source.chain.blocks.slice(node.tip.height, node.tip.height + 500);
        const blocks = source.strategy?.answer?.(held, this.#mail.actorOf(source)) ?? held;
        for (const back of links.plan(source.index, node.index)) {
          moments.later(node, () => this.#takeBlocks(node, blocks), back);
        }
      });
    }
  }

  #takeBlocks(node: SimulatedProcess<State>, blocks: readonly CommittedBlock[]): void {
    const world = this.#world;
    for (const committed of blocks) {
      const { height } = committed.certificate;
      if (height <= node.tip.height) continue;
      if (height !== node.tip.height + 1 || !world.gate.isCertified(node.tip, committed)) {
        world.refused += 1;
        return;
      }
      if (node.chain.problemOf(committed.block, false, 0, 0) !== undefined) return;
      const before = node.tip;
      const after = node.chain.append(committed);
      this.#verify(node, committed, before, after);
      this.#afterCommit(node, committed);
      if (!node.alive) return;
    }
  }

  #verify(
    node: SimulatedProcess<State>,
    { block, certificate }: CommittedBlock,
    before: ChainTip,
    after: ChainTip,
  ): void {
    const { invariants } = this.#world;
    if (!this.#world.isByzantine(node.identity)) invariants.onCommitted(node.index, block, certificate, before, after);
  }

  #afterCommit(node: SimulatedProcess<State>, { block }: CommittedBlock): void {
    const world = this.#world;
    for (const transaction of block.transactions) {
      const text = Buffer.from(transaction).toString();
      node.pool.delete(text);
      node.leftOut.delete(text);
    }
    node.stuck = block.transactions.length === 0;
    const left = countLeftOut(node, block, world.moments.steadyOf(node));
    world.input(node, { type: 'committed', tip: node.tip });
    if (!node.alive) return;
    const view = world.machine.view(node.state);
    if (!world.isByzantine(node.identity)) world.invariants.onView(node.index, view);
    this.#pools.tellWork(node);
    if (left) world.input(node, { type: 'complain', height: node.tip.height + 1 });
  }
}
