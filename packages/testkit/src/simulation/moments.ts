import type { EventQueue } from './event-queue.js';
import type { MachineEffect, TimerName } from './machine.js';
import type { SimulatedProcess } from './process.js';

/** 2023-11-14: what the wall clocks of a simulation show at its start. */
const EPOCH_MS = 1_700_000_000_000;

/** A timer that has run out. */
export interface FiredTimer {
  readonly timer: TimerName;
  readonly height: number;
  readonly round: number;
}

/** Time as the processes of a simulation have it: each its own clock, void after a crash, late while frozen or slow. */
export class Moments<State> {
  readonly #queue: EventQueue;
  readonly #onTimeout: (node: SimulatedProcess<State>, at: FiredTimer) => void;
  #stamps = 0;

  constructor(queue: EventQueue, onTimeout: (node: SimulatedProcess<State>, at: FiredTimer) => void) {
    this.#queue = queue;
    this.#onTimeout = onTimeout;
  }

  /** The wall clock of a process, in ms. */
  clockOf(node: SimulatedProcess<State>): number {
    return EPOCH_MS + this.#queue.now * node.drift + node.clockOffset;
  }

  /** The same, as if its wall clock had never jumped: for durations. */
  steadyOf(node: SimulatedProcess<State>): number {
    return this.clockOf(node) - node.clockOffset;
  }

  setTimer(node: SimulatedProcess<State>, effect: Extract<MachineEffect, { type: 'set-timer' }>): void {
    const { timer, height, round, ms } = effect;
    this.#stamps += 1;
    const stamp = this.#stamps;
    node.timers.set(timer, stamp);
    const { life } = node;
    const fire = (): void => {
      if (node.life !== life || node.timers.get(timer) !== stamp || this.isFrozen(node, fire)) return;
      node.timers.delete(timer);
      this.#onTimeout(node, { timer, height, round });
    };
    this.#queue.after(ms / node.drift, fire);
  }

  /** Runs what takes a moment there, unless the process has crashed by then. */
  later(node: SimulatedProcess<State>, run: () => void, ms = 0): void {
    const { life } = node;
    const guarded = (): void => {
      if (!node.alive || node.life !== life || this.isFrozen(node, guarded)) return;
      run();
    };
    this.#queue.after(ms + node.random.next() * node.disk.maxMs + node.slowMs, guarded);
  }

  /** Runs something again and again for the rest of this life. */
  every(node: SimulatedProcess<State>, ms: number, run: () => void): void {
    const { life } = node;
    const again = (): void => {
      if (node.life !== life) return;
      run();
      this.#queue.after(ms / node.drift, again);
    };
    this.#queue.after(node.random.next() * ms, again);
  }

  /** True where the process stands still; `again` is then called once it moves. */
  isFrozen(node: SimulatedProcess<State>, again: () => void): boolean {
    const left = node.frozenUntil - this.#queue.now;
    if (left <= 0) return false;
    this.#queue.after(left, again);
    return true;
  }
}
