import { CoreLedger } from './core-ledger.js';
import { CoreMail } from './core-mail.js';
import { CoreOutbox } from './core-outbox.js';
import { CorePools } from './core-pools.js';
import { CoreWorld, type CoreNetworkOptions } from './core-world.js';
import { InvariantViolation, thrown } from './invariants.js';
import { NO_FAULTS } from './links.js';
import type { ConsensusMachine, MachineEffect, MachineInput } from './machine.js';
import { NO_DISK_FAULTS, type SimulatedProcess } from './process.js';

const POLL_MS = 1_000;
const ACT_MS = 100;

/**
 * Machines over an unreliable network, on simulated time and disks, with the safety invariants checked after every step.
 * Everything follows from the seed and from what the caller does.
 */
export class CoreNetwork<State> extends CoreWorld<State> {
  readonly #mail: CoreMail<State>;
  readonly #pools: CorePools<State>;
  readonly #ledger: CoreLedger<State>;
  readonly #outbox: CoreOutbox<State>;

  constructor(machine: ConsensusMachine<State>, options: CoreNetworkOptions) {
    super(machine, options);
    this.#mail = new CoreMail(this);
    this.#pools = new CorePools(this);
    this.#ledger = new CoreLedger(this, this.#mail, this.#pools);
    this.#outbox = new CoreOutbox(this, this.#mail);
  }

  /** Starts every process, in order. */
  startAll(): void {
    for (const node of this.nodes) if (!node.alive) this.start(node);
  }

  /** Starts a process from its disk. */
  start(node: SimulatedProcess<State>): void {
    if (node.failingStarts > 0) {
      node.failingStarts -= 1;
      this.sayOf(node, 'cannot read its disk');
      const { life } = node;
      this.queue.after(500, () => {
        if (!node.alive && node.life === life) this.start(node);
      });
      return;
    }
    node.boot();
    this.sayOf(node, `starts at height ${node.tip.height} with ${node.log.length} log records`);
    if (!this.isByzantine(node.identity)) this.invariants.onStarted(node.index, node.tips);
    // What was committed as it crashed is no longer waiting.
    for (const transaction of node.pool.keys()) if (node.chain.has(transaction)) node.pool.delete(transaction);
    for (const other of this.byIdentity.keys()) {
      if (other !== node.identity && this.areCut(node, other)) node.downSince.set(other, this.now);
    }
    const records = node.log.filter(({ message }) => message.vote.height > node.tip.height);
    const above = records.map(({ message }) => message.vote.height).filter((height) => height > node.tip.height + 1);
    this.input(node, { type: 'start', tip: node.tip, records, silentUntil: Math.max(0, ...above) });
    for (const identity of this.byIdentity.keys()) {
      if (identity !== node.identity) this.input(node, { type: 'connected', peer: this.keyring.key(identity) });
    }
    this.#pools.tellWork(node);
    this.moments.every(node, POLL_MS, () => this.#pools.poll(node));
    if (node.strategy !== undefined) {
      this.moments.every(node, ACT_MS, () => node.strategy?.act?.(this.#mail.actorOf(node)));
    }
  }

  /** Replaces the disk of a process. */
  wipe(node: SimulatedProcess<State>): void {
    this.crash(node);
    node.log = [];
    node.chain.wipe();
    this.invariants.onWiped(node.index);
  }

  /** A client hands a transaction to these processes, to all when none is named; they pass it on among each other. */
  submit(transaction: string, ...indices: number[]): void {
    this.invariants.onSubmitted(transaction);
    const targets = indices.length === 0 ? this.nodes : indices.map((index) => this.node(index));
    for (const node of targets) this.#pools.add(node, transaction);
    if (targets.length === this.nodes.length) return;
    for (const node of targets) this.#pools.gossip(node, transaction);
  }

  /** Cuts every link between the groups. */
  partition(...groups: readonly (readonly number[])[]): void {
    this.links.partition(groups);
  }

  /** Tells the processes that sessions are gone where links are cut, and back where they are not. */
  reconcileSessions(): void {
    for (const node of this.nodes) {
      for (const identity of this.byIdentity.keys()) {
        if (identity === node.identity) continue;
        const cut = this.areCut(node, identity);
        if (cut === node.downSince.has(identity)) continue;
        const peer = this.keyring.key(identity);
        if (cut) node.downSince.set(identity, this.now);
        else node.downSince.delete(identity);
        this.input(node, { type: cut ? 'disconnected' : 'connected', peer });
      }
    }
  }

  /** Peace: nothing is lost, late, slow, wrong or stopped any more. Crashed processes stay down. */
  heal(): void {
    this.links.join();
    this.links.faults = NO_FAULTS;
    for (const node of this.nodes) {
      node.disk = NO_DISK_FAULTS;
      node.failingStarts = 0;
      node.slowMs = 0;
      node.frozenUntil = 0;
      node.drift = 1;
      node.clockOffset = 0;
      node.fuse = 0;
    }
    this.reconcileSessions();
  }

  /** Runs for `ms`, or until `done`. */
  run(ms: number, done: () => boolean = () => false): void {
    const end = this.now + ms;
    while (!done() && this.queue.step(end));
  }

  /** One step of a machine, and what follows from it. */
  input(node: SimulatedProcess<State>, input: MachineInput): void {
    if (!node.alive) return;
    this.note(node, input);
    const { life } = node;
    let effects: MachineEffect[];
    try {
      effects = this.machine.step(node.state, input);
    } catch (error) {
      throw thrown(error, `the machine of process ${node.index} on "${input.type}"`);
    }
    for (const effect of effects) {
      if (node.fuse > 0) {
        node.fuse -= 1;
        if (node.fuse === 0) this.crash(node);
      }
      if (node.life !== life) return;
      this.#apply(node, effect);
    }
  }

  #apply(node: SimulatedProcess<State>, effect: MachineEffect): void {
    switch (effect.type) {
      case 'sign':
        node.outbox.push(effect);
        this.#outbox.pump(node);
        break;
      case 'send':
        this.#mail.send(node, effect.to, effect.content, effect.attempt);
        break;
      case 'send-decided':
        this.#ledger.sendDecided(node, effect);
        break;
      case 'set-timer':
        this.moments.setTimer(node, effect);
        break;
      case 'clear-timer':
        node.timers.delete(effect.timer);
        break;
      case 'build':
        this.#ledger.build(node, effect.height, effect.round);
        break;
      case 'check':
        this.#ledger.check(node, effect);
        break;
      case 'decide':
        this.#ledger.decide(node, effect.height, { block: effect.block, certificate: effect.certificate });
        break;
      case 'sync':
        this.#ledger.sync(node, this.keyring.indexOf(effect.peer));
        break;
      case 'evidence':
        this.evidence += 1;
        this.invariants.onEvidence(effect.first, effect.second);
        break;
      case 'violation':
        if (this.isByzantine(node.identity)) break;
        throw new InvariantViolation('agreement', `process ${node.index} saw two quorums at ${effect.height}`);
      case 'audit':
      case 'round':
        break;
    }
  }
}
