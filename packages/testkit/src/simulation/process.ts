import type { LogRecord, MachineEffect, Message, TimerName } from './machine.js';
import type { Random } from './random.js';
import { StubChain } from './stub-chain.js';
import type { ChainTip } from '@it-chain/contracts';
import type { Strategy } from './strategies/index.js';

/** How the disk of a process misbehaves. */
export interface DiskFaults {
  /** Share of writes that fail and are tried again. */
  readonly transient: number;
  /** Share of writes that fail for good: the node ends, as it must. */
  readonly fatal: number;
  /** A write takes up to so many ms. */
  readonly maxMs: number;
}

/** A disk in peace. */
export const NO_DISK_FAULTS: DiskFaults = { transient: 0, fatal: 0, maxMs: 3 };

/** Messages that a Byzantine node keeps to lie with. */
const MAX_HEARD = 200;

/** One simulated node: what is on its disk, what is in its memory, and what is wrong with it. */
export class SimulatedProcess<State> {
  /** On disk: the log of votes, in the order of writing. */
  log: LogRecord[] = [];
  /** On disk, where the node has a signing guard: what was signed, by type, height and round. */
  readonly guard = new Map<string, string>();
  /** On disk. */
  readonly chain: StubChain;
  /** On disk: transactions that wait here, with the local time of their coming. */
  readonly pool = new Map<string, number>();
  state: State;
  alive = false;
  /** Restarts so far: what was under way before a crash is void. */
  life = 0;
  readonly timers = new Map<TimerName, number>();
  outbox: Extract<MachineEffect, { type: 'sign' }>[] = [];
  outboxBusy = false;
  /** Writes that are under way, in order; a crash keeps a part of them from the front. */
  inFlight: (() => void)[] = [];
  strategy: Strategy | undefined;
  heard: Message[] = [];
  disk: DiskFaults = NO_DISK_FAULTS;
  /** Starts that will fail because the disk cannot be read. */
  failingStarts = 0;
  /** Handling takes so much longer, in ms. */
  slowMs = 0;
  /** Nothing happens here before this simulated time: a stopped process, or one that the machine does not run. */
  frozenUntil = 0;
  /** Its clock runs so much faster. 1 = true. */
  drift = 1;
  /** Its wall clock is so much ahead, in ms. */
  clockOffset = 0;
  /** Effects until it crashes in the middle of a step; 0 = not. */
  fuse = 0;
  /** Since when, in simulated ms, it has no session to these identities. */
  readonly downSince = new Map<number, number>();
  /** The last block was empty although the pool was not. */
  stuck = false;
  /** Blocks, less than half full, that left out each transaction. */
  readonly leftOut = new Map<string, number>();

  constructor(
    readonly index: number,
    /** Whose key it has: twins share one. */
    readonly identity: number,
    readonly random: Random,
    genesis: ChainTip,
    /** Makes the state of a process that has just started. */
    readonly fresh: () => State,
  ) {
    this.chain = new StubChain(identity, genesis);
    this.state = fresh();
  }

  get tip(): ChainTip {
    return this.chain.tip;
  }

  /** Committed heights, the genesis first. */
  get tips(): readonly ChainTip[] {
    return this.chain.tips;
  }

  /** Ends it at once: memory is gone, and of the writes under way a part from the front has reached the disk. */
  crash(): void {
    this.alive = false;
    this.life += 1;
    this.timers.clear();
    this.outbox = [];
    this.outboxBusy = false;
    this.fuse = 0;
    const kept = this.random.below(this.inFlight.length + 1);
    for (const write of this.inFlight.slice(0, kept)) write();
    this.inFlight = [];
  }

  /** Makes memory as it is after a start. */
  boot(): void {
    this.alive = true;
    this.life += 1;
    this.state = this.fresh();
    this.stuck = false;
    this.downSince.clear();
    this.leftOut.clear();
  }

  /** Appends a record; those of committed heights are swept with it. */
  appendRecord(record: LogRecord): void {
    const { height } = record.message.vote;
    if (this.log.length > 0 && (this.log[0]?.message.vote.height ?? height) < height) {
      this.log = this.log.filter(({ message }) => message.vote.height >= height);
    }
    this.log.push(record);
  }

  /** Keeps a message to lie with. */
  hear(message: Message): void {
    if (this.strategy === undefined) return;
    if (this.heard.length >= MAX_HEARD) this.heard.shift();
    this.heard.push(message);
  }
}
