import { isItChainError, toHex, type ChainTip } from '@it-chain/contracts';
import { EventQueue } from './event-queue.js';
import { countLeftOut } from './complaint.js';
import { describe } from './describe.js';
import { Gate } from './gate.js';
import { CoreInvariants, InvariantViolation, thrown } from './invariants.js';
import { Keyring } from './keyring.js';
import { Links, NO_FAULTS } from './links.js';
import { machineOptions } from './machine-options.js';
import type { ConsensusMachine, LogRecord, MachineEffect, MachineInput, MachineOptions, Message } from './machine.js';
import { Moments } from './moments.js';
import { NO_DISK_FAULTS, SimulatedProcess } from './process.js';
import { writeSynced } from './synced-write.js';
import { Random } from './random.js';
import { blockOn, genesisTip, SIMULATED_NETWORK, type CommittedBlock } from './stub-chain.js';
import type { Actor } from './strategies/index.js';
import { TraceHash } from './trace.js';

const FUTURE_MS = 10_000;
const POLL_MS = 1_000;
const ACT_MS = 100;
/** Every so manieth message crosses the encoding instead of being handed over as it is. */
const ENCODED_EVERY = 16;
/** Kinds of inputs in the trace hash. */
const TRACE_CODES: Readonly<Record<string, number>> = {
  message: 1,
  timeout: 2,
  signed: 3,
  committed: 4,
  start: 5,
  crash: 6,
};

/** How a {@link CoreNetwork} is made. */
export interface CoreNetworkOptions {
  readonly seed: number;
  /** Whose key each process has: `[0, 1, 2, 3]`, or `[0, 0, 1, 2, 3]` where 0 has a twin. */
  readonly identities: readonly number[];
  /** Validators at the start: identities 0 to founders - 1. Default: all. */
  readonly founders?: number | undefined;
  readonly machine?: Partial<MachineOptions> | undefined;
  /** Nodes have a signing guard besides the log. Default false: the log alone must do. */
  readonly guard?: boolean | undefined;
  /** Told each step in words; without it no words are made. */
  readonly trace?: ((line: string) => void) | undefined;
}

/**
 * Machines over an unreliable network, on simulated time and disks, with the safety invariants checked after every step.
 * Everything follows from the seed and from what the caller does.
 */
export class CoreNetwork<State> {
  readonly machine: ConsensusMachine<State>;
  readonly seed: number;
  readonly random: Random;
  readonly queue = new EventQueue();
  readonly links: Links;
  readonly nodes: SimulatedProcess<State>[] = [];
  readonly keyring: Keyring;
  readonly invariants: CoreInvariants;
  readonly traceHash = new TraceHash();
  /** Messages that were sent, one per receiver. */
  messages = 0;
  /** Their bytes; counted only where {@link countBytes} is set. */
  bytes = 0;
  countBytes = false;
  evidence = 0;
  /** Messages that the gate refused: an invalid signature or certificate. */
  refused = 0;
  readonly #options: CoreNetworkOptions;
  readonly #machineOptions: Omit<MachineOptions, 'self'>;
  readonly #gate: Gate;
  readonly #moments: Moments<State>;
  readonly #byIdentity = new Map<number, SimulatedProcess<State>[]>();
  readonly #byzantine = new Set<number>();
  readonly #sizes = new WeakMap<Message, number>();
  #salt = 0;
  #encoded = 0;
  #trace: ((line: string) => void) | undefined;

  constructor(machine: ConsensusMachine<State>, options: CoreNetworkOptions) {
    const { identities, seed } = options;
    this.machine = machine;
    this.seed = seed;
    this.#options = options;
    this.#trace = options.trace;
    this.random = new Random(seed);
    const count = Math.max(...identities) + 1;
    this.#machineOptions = machineOptions(options.machine);
    this.keyring = new Keyring(count, (vote) => machine.signedBytes(SIMULATED_NETWORK, vote));
    this.#moments = new Moments(this.queue, (node, at) => this.input(node, { type: 'timeout', ...at }));
    this.#gate = new Gate(this.keyring, (message) => machine.votesIn(message));
    this.links = new Links(identities.length, this.random.fork(1));
    const genesis = genesisTip(options.founders ?? count);
    identities.forEach((identity, index) => {
      const fresh = (): State => machine.create({ ...this.#machineOptions, self: this.keyring.key(identity) });
      const process = new SimulatedProcess(index, identity, this.random.fork(100 + index), genesis, fresh);
      this.nodes.push(process);
      const same = this.#byIdentity.get(identity) ?? [];
      this.#byIdentity.set(identity, same);
      if (same.push(process) > 1) this.#byzantine.add(identity);
    });
    this.invariants = new CoreInvariants(
      this.keyring,
      genesis,
      (identity) => identity >= 0 && !this.isByzantine(identity),
      this.#machineOptions.leaderTerm,
    );
  }

  get n(): number {
    return this.nodes.length;
  }

  get now(): number {
    return this.queue.now;
  }

  /** Tmax of the machines, in ms. */
  get maxTimeoutMs(): number {
    return this.#machineOptions.maxTimeoutMs;
  }

  /** @throws Error where there is no such process */
  node(index: number): SimulatedProcess<State> {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`no node ${index}`);
    return node;
  }

  /** True for an identity with a strategy or with a twin. */
  isByzantine(identity: number): boolean {
    return (
      this.#byzantine.has(identity) ||
      this.#byIdentity.get(identity)?.some(({ strategy }) => strategy !== undefined) === true
    );
  }

  /** The processes that must keep every promise. */
  get correct(): SimulatedProcess<State>[] {
    return this.nodes.filter(({ identity }) => !this.isByzantine(identity));
  }

  // ---- what a test or a schedule does

  startAll(): void {
    for (const node of this.nodes) if (!node.alive) this.start(node);
  }

  /** Starts a process from its disk. */
  start(node: SimulatedProcess<State>): void {
    if (node.failingStarts > 0) {
      node.failingStarts -= 1;
      this.#say(node, 'cannot read its disk');
      const { life } = node;
      this.queue.after(500, () => {
        if (!node.alive && node.life === life) this.start(node);
      });
      return;
    }
    node.boot();
    this.#say(node, `starts at height ${node.tip.height} with ${node.log.length} log records`);
    if (!this.isByzantine(node.identity)) this.invariants.onStarted(node.index, node.tips);
    // What was committed as it crashed is no longer waiting.
    for (const transaction of node.pool.keys()) if (node.chain.has(transaction)) node.pool.delete(transaction);
    for (const other of this.#byIdentity.keys()) {
      if (other !== node.identity && this.#areCut(node, other)) node.downSince.set(other, this.now);
    }
    const records = node.log.filter(({ message }) => message.vote.height > node.tip.height);
    const above = records.map(({ message }) => message.vote.height).filter((height) => height > node.tip.height + 1);
    this.input(node, { type: 'start', tip: node.tip, records, silentUntil: Math.max(0, ...above) });
    for (const identity of this.#byIdentity.keys()) {
      if (identity !== node.identity) this.input(node, { type: 'connected', peer: this.keyring.key(identity) });
    }
    this.#tellWork(node);
    this.#moments.every(node, POLL_MS, () => this.#poll(node));
    if (node.strategy !== undefined) this.#moments.every(node, ACT_MS, () => node.strategy?.act?.(this.#actorOf(node)));
  }

  crash(node: SimulatedProcess<State>): void {
    if (!node.alive) return;
    this.#say(node, 'crashes');
    this.traceHash.add(TRACE_CODES['crash'] ?? 0);
    node.crash();
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
    for (const node of targets) this.#pool(node, transaction);
    if (targets.length === this.nodes.length) return;
    for (const node of targets) this.#gossip(node, transaction);
  }

  /** Cuts every link between the groups. */
  partition(...groups: readonly (readonly number[])[]): void {
    this.links.partition(groups);
  }

  /** Tells the processes that sessions are gone where links are cut, and back where they are not. */
  reconcileSessions(): void {
    for (const node of this.nodes) {
      for (const identity of this.#byIdentity.keys()) {
        if (identity === node.identity) continue;
        const cut = this.#areCut(node, identity);
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
    this.#note(node, input);
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

  // ---- effects

  #apply(node: SimulatedProcess<State>, effect: MachineEffect): void {
    switch (effect.type) {
      case 'sign':
        node.outbox.push(effect);
        this.#pump(node);
        break;
      case 'send':
        this.#sendAll(node, effect.to, effect.content, effect.attempt);
        break;
      case 'send-decided':
        this.#moments.later(node, () => {
          for (const committed of node.chain.blocks.slice(effect.from - 1, effect.from - 1 + effect.count)) {
            this.#sendAll(node, [effect.to], { kind: 'decided', ...committed }, 0);
          }
        });
        break;
      case 'set-timer':
        this.#moments.setTimer(node, effect);
        break;
      case 'clear-timer':
        node.timers.delete(effect.timer);
        break;
      case 'build':
        this.#build(node, effect.height, effect.round);
        break;
      case 'check':
        this.#moments.later(node, () => {
          const problem = node.chain.problemOf(effect.block, effect.fresh, this.#moments.clockOf(node), FUTURE_MS);
          if (problem !== undefined) this.#say(node, `finds a block of height ${effect.height} invalid: ${problem}`);
          this.input(node, {
            type: 'checked',
            check: effect.check,
            verdict: problem === undefined ? 'valid' : 'invalid',
          });
        });
        break;
      case 'decide':
        this.#decide(node, effect.height, { block: effect.block, certificate: effect.certificate });
        break;
      case 'sync':
        this.#sync(node, this.keyring.indexOf(effect.peer));
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

  /** The barrier: one record at a time is signed and written, then sent, then counted. */
  #pump(node: SimulatedProcess<State>): void {
    if (node.outboxBusy) return;
    const next = node.outbox.shift();
    if (next === undefined) return;
    node.outboxBusy = true;
    const finish = (): void => {
      node.outboxBusy = false;
      this.#pump(node);
    };
    const { message } = next.record;
    if (message.vote.height <= node.tip.height) {
      finish();
      return;
    }
    if (!this.#maySign(node, message.vote)) {
      this.#moments.later(node, () => {
        this.input(node, {
          type: 'refused',
          kind: message.kind,
          height: message.vote.height,
          round: message.vote.round,
        });
        finish();
      });
      return;
    }
    const record = { ...next.record, message: { ...message, vote: this.keyring.signVote(message.vote) } } as LogRecord;
    this.#write(
      node,
      () => node.appendRecord(record),
      () => {
        this.#sendAll(node, next.to, record.message, 0);
        this.input(node, { type: 'signed', record });
        finish();
      },
    );
  }

  /** The signing guard: durable before the signature is given out. */
  #maySign(
    node: SimulatedProcess<State>,
    vote: { type: string; height: number; round: number; digest: Uint8Array },
  ): boolean {
    if (this.#options.guard !== true) return true;
    const slot = `${vote.type}/${vote.height}/${vote.round}`;
    const digest = toHex(vote.digest);
    const known = node.guard.get(slot);
    if (known === undefined) node.guard.set(slot, digest);
    return known === undefined || known === digest;
  }

  #write(node: SimulatedProcess<State>, apply: () => void, done: () => void): void {
    const lost = (): void => {
      this.#say(node, 'cannot write any more and ends');
      this.crash(node);
    };
    writeSynced(node, this.#moments, { apply, done, lost });
  }

  #decide(node: SimulatedProcess<State>, height: number, committed: CommittedBlock): void {
    // The header decides the digest; a body that is not its own must come again from elsewhere.
    const problem = node.tip.height + 1 === height ? node.chain.problemOf(committed.block, false, 0, 0) : undefined;
    if (problem !== undefined) {
      this.#moments.later(node, () => this.input(node, { type: 'decide-failed', height }));
      return;
    }
    let before = node.tip;
    let after = before;
    this.#write(
      node,
      () => {
        // A sync may have been faster.
        if (node.tip.height + 1 !== height) return;
        before = node.tip;
        after = node.chain.append(committed);
        this.#check(node, committed, before, after);
      },
      () => {
        if (after !== before) this.#afterCommit(node, committed);
      },
    );
  }

  #check(
    node: SimulatedProcess<State>,
    { block, certificate }: CommittedBlock,
    before: ChainTip,
    after: ChainTip,
  ): void {
    if (!this.isByzantine(node.identity)) this.invariants.onCommitted(node.index, block, certificate, before, after);
  }

  #afterCommit(node: SimulatedProcess<State>, { block }: CommittedBlock): void {
    for (const transaction of block.transactions) {
      const text = Buffer.from(transaction).toString();
      node.pool.delete(text);
      node.leftOut.delete(text);
    }
    node.stuck = block.transactions.length === 0;
    const left = countLeftOut(node, block, this.#moments.steadyOf(node));
    this.input(node, { type: 'committed', tip: node.tip });
    if (!node.alive) return;
    const view = this.machine.view(node.state);
    if (!this.isByzantine(node.identity)) this.invariants.onView(node.index, view);
    this.#tellWork(node);
    if (left) this.input(node, { type: 'complain', height: node.tip.height + 1 });
  }

  #build(node: SimulatedProcess<State>, height: number, round: number): void {
    this.#moments.later(node, () => {
      if (node.tip.height + 1 !== height) return;
      const { strategy } = node;
      const pool = [...node.pool.keys()].filter((one) => strategy?.admit?.(one) ?? true);
      const { block, digest } = node.chain.build(pool, this.#moments.clockOf(node));
      this.input(node, { type: 'built', height, round, block, digest });
    });
  }

  /** Asks another node for the blocks above the tip; each is verified like one of a stranger. */
  #sync(node: SimulatedProcess<State>, identity: number): void {
    const source = this.#byIdentity.get(identity)?.[0];
    if (source?.alive !== true) return;
    for (const there of this.links.plan(node.index, source.index)) {
      this.queue.after(there, () => {
        if (!source.alive || !node.alive) return;
        const held = source.chain.blocks.slice(node.tip.height, node.tip.height + 500);
        const blocks = source.strategy?.answer?.(held, this.#actorOf(source)) ?? held;
        for (const back of this.links.plan(source.index, node.index)) {
          this.#moments.later(node, () => this.#takeBlocks(node, blocks), back);
        }
      });
    }
  }

  #takeBlocks(node: SimulatedProcess<State>, blocks: readonly CommittedBlock[]): void {
    for (const committed of blocks) {
      const { height } = committed.certificate;
      if (height <= node.tip.height) continue;
      if (height !== node.tip.height + 1 || !this.#gate.isCertified(node.tip, committed)) {
        this.refused += 1;
        return;
      }
      if (node.chain.problemOf(committed.block, false, 0, 0) !== undefined) return;
      const before = node.tip;
      const after = node.chain.append(committed);
      this.#check(node, committed, before, after);
      this.#afterCommit(node, committed);
      if (!node.alive) return;
    }
  }

  // ---- messages

  #sendAll(node: SimulatedProcess<State>, to: readonly Uint8Array[], message: Message, attempt: number): void {
    const { strategy } = node;
    if (strategy === undefined) {
      this.invariants.onMessage(node.identity, message);
      for (const key of to) this.#deliver(node, this.keyring.indexOf(key), message, attempt);
      return;
    }
    const actor = this.#actorOf(node);
    for (const key of to) {
      const identity = this.keyring.indexOf(key);
      for (const altered of strategy.alter?.(message, identity, actor) ?? [message]) {
        this.invariants.onMessage(node.identity, altered);
        this.#deliver(node, identity, altered, attempt);
      }
    }
  }

  #deliver(node: SimulatedProcess<State>, identity: number, message: Message, attempt: number): void {
    for (const target of this.#byIdentity.get(identity) ?? []) {
      this.messages += 1;
      if (this.countBytes) this.bytes += this.#sizeOf(message, attempt);
      for (const delay of this.links.plan(node.index, target.index)) {
        const { life } = target;
        this.queue.after(delay + target.slowMs, () => {
          if (target.alive && target.life === life) this.#arrive(node, target, message, attempt);
        });
      }
    }
  }

  #sizeOf(message: Message, attempt: number): number {
    const known = this.#sizes.get(message);
    if (known !== undefined) return known;
    const size = this.machine.encode(message, SIMULATED_NETWORK, attempt).length;
    this.#sizes.set(message, size);
    return size;
  }

  #arrive(node: SimulatedProcess<State>, target: SimulatedProcess<State>, sent: Message, attempt: number): void {
    if (this.#moments.isFrozen(target, () => this.#arrive(node, target, sent, attempt))) return;
    this.#encoded = (this.#encoded + 1) % ENCODED_EVERY;
    const content = this.#encoded === 0 ? this.#throughBytes(sent, attempt) : sent;
    target.hear(content);
    if (!this.#gate.admits(target.tip, content)) {
      this.refused += 1;
      return;
    }
    this.input(target, { type: 'message', from: this.keyring.key(node.identity), content, attempt });
  }

  #throughBytes(message: Message, attempt: number): Message {
    let read: ReturnType<ConsensusMachine<State>['decode']>;
    try {
      read = this.machine.decode(this.machine.encode(message, SIMULATED_NETWORK, attempt));
    } catch (error) {
      if (isItChainError(error)) return message;
      throw thrown(error, 'the encoding of a message');
    }
    if (read === undefined) throw new InvariantViolation('exception', 'a message got lost in its encoding');
    return read.content;
  }

  // ---- transactions

  #pool(node: SimulatedProcess<State>, transaction: string): void {
    if (node.pool.has(transaction) || node.chain.has(transaction)) return;
    node.pool.set(transaction, this.#moments.steadyOf(node));
    node.stuck = false;
    this.#tellWork(node);
  }

  #gossip(node: SimulatedProcess<State>, transaction: string): void {
    for (const target of this.nodes) {
      if (target === node) continue;
      for (const delay of this.links.plan(node.index, target.index)) {
        this.queue.after(delay, () => {
          if (target.alive) this.#pool(target, transaction);
        });
      }
    }
  }

  #poll(node: SimulatedProcess<State>): void {
    node.stuck = false;
    const target = node.random.pick(this.nodes);
    if (target !== node && !this.links.isCut(node.index, target.index) && target.alive) {
      let left = 5;
      for (const transaction of node.pool.keys()) {
        if (left-- === 0) break;
        this.#pool(target, transaction);
      }
    }
    if (!this.isByzantine(node.identity)) this.invariants.onBuffers(node.index, this.machine.buffers(node.state));
    this.#tellWork(node);
  }

  #tellWork(node: SimulatedProcess<State>): void {
    if (!node.alive) return;
    const pooled = node.pool.size > 0 && !node.stuck;
    this.input(node, { type: 'work', pooled, leaderDown: this.#isLeaderDown(node) });
  }

  #isLeaderDown(node: SimulatedProcess<State>): boolean {
    if (node.downSince.size === 0) return false;
    const leader = this.machine.view(node.state).leader;
    for (const [identity, since] of node.downSince) {
      if (toHex(this.keyring.key(identity)) !== leader) continue;
      return this.now - since >= 2 * this.#machineOptions.baseTimeoutMs;
    }
    return false;
  }

  #areCut(node: SimulatedProcess<State>, identity: number): boolean {
    const there = this.#byIdentity.get(identity) ?? [];
    return there.every(({ index }) => this.links.isCut(node.index, index) || this.links.isCut(index, node.index));
  }

  #actorOf(node: SimulatedProcess<State>): Actor {
    const { identity, random, tip, chain, heard } = node;
    const signer = this.keyring.key(identity);
    return {
      identity,
      random,
      network: SIMULATED_NETWORK,
      tip,
      heard,
      others: [...this.#byIdentity.keys()].filter((other) => other !== identity),
      blocks: chain.blocks,
      machine: this.machine,
      sign: (vote) => this.keyring.signVote({ ...vote, signer, signature: new Uint8Array(64) }),
      block: (transactions = []) => {
        this.#salt += 1;
        return blockOn(
          tip,
          identity,
          Math.max(Math.floor(this.#moments.clockOf(node)), tip.time + 1) + (this.#salt % 9_000),
          transactions,
        );
      },
      send: (to, message, attempt = 0) => {
        this.invariants.onMessage(identity, message);
        this.#deliver(node, to, message, attempt);
      },
    };
  }

  // ---- the trace

  #note(node: SimulatedProcess<State>, input: MachineInput): void {
    const { traceHash } = this;
    traceHash.add(Math.round(this.now * 1_000));
    traceHash.add(node.index * 16 + (TRACE_CODES[input.type] ?? 0));
    if (input.type === 'message') {
      const { content } = input;
      traceHash.add(content.kind.length);
      if ('vote' in content) {
        traceHash.add(content.vote.round);
        traceHash.addBytes(content.vote.digest);
      }
    } else if (input.type === 'committed') traceHash.addBytes(input.tip.digest);
    if (this.#trace !== undefined) this.#say(node, describe(input, this.keyring));
  }

  #say(node: SimulatedProcess<State>, what: string): void {
    this.#trace?.(`${this.now.toFixed(1).padStart(9)} ${node.index}${node.strategy === undefined ? '' : '!'} ${what}`);
  }

  /** Adds a line to the trace that belongs to no process. */
  say(what: string): void {
    this.#trace?.(`${this.now.toFixed(1).padStart(9)} - ${what}`);
  }
}
