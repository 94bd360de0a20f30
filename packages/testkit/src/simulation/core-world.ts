import { EventQueue } from './event-queue.js';
import { describe } from './describe.js';
import { Gate } from './gate.js';
import { CoreInvariants } from './invariants.js';
import { Keyring } from './keyring.js';
import { Links } from './links.js';
import { machineOptions } from './machine-options.js';
import type { ConsensusMachine, MachineInput, MachineOptions } from './machine.js';
import { Moments } from './moments.js';
import { SimulatedProcess } from './process.js';
import { writeSynced } from './synced-write.js';
import { Random } from './random.js';
import { genesisTip, SIMULATED_NETWORK } from './stub-chain.js';
import { TraceHash } from './trace.js';

/** Kinds of inputs in the trace hash. */
const TRACE_CODES: Readonly<Record<string, number>> = {
  message: 1,
  timeout: 2,
  signed: 3,
  committed: 4,
  start: 5,
  crash: 6,
};

/** How a core simulation is made. */
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

/** What the parts of a core simulation share: processes and their keys, time, links, what is counted and checked, and the trace. */
export abstract class CoreWorld<State> {
  readonly machine: ConsensusMachine<State>;
  readonly seed: number;
  readonly random: Random;
  readonly queue = new EventQueue();
  readonly links: Links;
  readonly nodes: SimulatedProcess<State>[] = [];
  readonly keyring: Keyring;
  readonly invariants: CoreInvariants;
  readonly traceHash = new TraceHash();
  readonly gate: Gate;
  readonly moments: Moments<State>;
  /** The processes of each identity: two where it has a twin. */
  readonly byIdentity = new Map<number, SimulatedProcess<State>[]>();
  /** Nodes have a signing guard. */
  readonly guard: boolean;
  /** Messages that were sent, one per receiver. */
  messages = 0;
  /** Their bytes; counted only where {@link countBytes} is set. */
  bytes = 0;
  countBytes = false;
  evidence = 0;
  /** Messages that the gate refused: an invalid signature or certificate. */
  refused = 0;
  readonly #machineOptions: Omit<MachineOptions, 'self'>;
  readonly #byzantine = new Set<number>();
  readonly #trace: ((line: string) => void) | undefined;

  constructor(machine: ConsensusMachine<State>, options: CoreNetworkOptions) {
    const { identities, seed } = options;
    this.machine = machine;
    this.seed = seed;
    this.guard = options.guard === true;
    this.#trace = options.trace;
    this.random = new Random(seed);
    const count = Math.max(...identities) + 1;
    this.#machineOptions = machineOptions(options.machine);
    this.keyring = new Keyring(count, (vote) => machine.signedBytes(SIMULATED_NETWORK, vote));
    this.moments = new Moments(this.queue, (node, at) => this.input(node, { type: 'timeout', ...at }));
    this.gate = new Gate(this.keyring, (message) => machine.votesIn(message));
    this.links = new Links(identities.length, this.random.fork(1));
    const genesis = genesisTip(options.founders ?? count);
    identities.forEach((identity, index) => {
      const fresh = (): State => machine.create({ ...this.#machineOptions, self: this.keyring.key(identity) });
      const process = new SimulatedProcess(index, identity, this.random.fork(100 + index), genesis, fresh);
      this.nodes.push(process);
      const same = this.byIdentity.get(identity) ?? [];
      this.byIdentity.set(identity, same);
      if (same.push(process) > 1) this.#byzantine.add(identity);
    });
    this.invariants = new CoreInvariants(
      this.keyring,
      genesis,
      (identity) => identity >= 0 && !this.isByzantine(identity),
      this.#machineOptions.leaderTerm,
    );
  }

  /** One step of a machine, and what follows from it. */
  abstract input(node: SimulatedProcess<State>, input: MachineInput): void;

  get n(): number {
    return this.nodes.length;
  }

  get now(): number {
    return this.queue.now;
  }

  /** T0 of the machines, in ms. */
  get baseTimeoutMs(): number {
    return this.#machineOptions.baseTimeoutMs;
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
      this.byIdentity.get(identity)?.some(({ strategy }) => strategy !== undefined) === true
    );
  }

  /** The processes that must keep every promise. */
  get correct(): SimulatedProcess<State>[] {
    return this.nodes.filter(({ identity }) => !this.isByzantine(identity));
  }

  /** True where a process reaches no process of an identity, or is reached by none. */
  areCut(node: SimulatedProcess<State>, identity: number): boolean {
    const there = this.byIdentity.get(identity) ?? [];
    return there.every(({ index }) => this.links.isCut(node.index, index) || this.links.isCut(index, node.index));
  }

  /** Ends a process at once: what it had not synced may be lost. */
  crash(node: SimulatedProcess<State>): void {
    if (!node.alive) return;
    this.sayOf(node, 'crashes');
    this.traceHash.add(TRACE_CODES['crash'] ?? 0);
    node.crash();
  }

  /** A synced write to the disk of a process, which ends where the disk is lost. */
  write(node: SimulatedProcess<State>, apply: () => void, done: () => void): void {
    const lost = (): void => {
      this.sayOf(node, 'cannot write any more and ends');
      this.crash(node);
    };
    writeSynced(node, this.moments, { apply, done, lost });
  }

  /** Takes an input into the trace. */
  note(node: SimulatedProcess<State>, input: MachineInput): void {
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
    if (this.#trace !== undefined) this.sayOf(node, describe(input, this.keyring));
  }

  /** Adds a line to the trace about a process; `!` marks one that lies. */
  sayOf(node: SimulatedProcess<State>, what: string): void {
    this.#trace?.(`${this.now.toFixed(1).padStart(9)} ${node.index}${node.strategy === undefined ? '' : '!'} ${what}`);
  }

  /** Adds a line to the trace that belongs to no process. */
  say(what: string): void {
    this.#trace?.(`${this.now.toFixed(1).padStart(9)} - ${what}`);
  }
}
