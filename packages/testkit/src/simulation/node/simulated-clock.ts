import type { Cancel, Clock } from '@it-chain/contracts';
import type { EventQueue } from '../event-queue.js';

/** What is wrong with the time of one node. It outlives its restarts. */
export interface TimeFaults {
  /** Its wall clock is so much ahead, in ms. */
  offsetMs: number;
  /** Its clock runs so much faster; 1 = true. */
  drift: number;
  /** Nothing happens there before this simulated time, in ms. */
  frozenUntil: number;
  /** It takes in what comes from others so much later, in ms; within itself each message takes a fiftieth of it. */
  slowMs: number;
}

/** The clock of one life of a node: what waits on it is void once the life is over. */
export class SimulatedClock implements Clock {
  readonly #queue: EventQueue;
  readonly #epoch: number;
  readonly #faults: TimeFaults;
  readonly #isAlive: () => boolean;

  constructor(queue: EventQueue, epochMs: number, faults: TimeFaults, isAlive: () => boolean) {
    this.#queue = queue;
    this.#epoch = epochMs;
    this.#faults = faults;
    this.#isAlive = isAlive;
  }

  now(): number {
    return Math.floor(this.#epoch + this.#queue.now + this.#faults.offsetMs);
  }

  monotonic(): number {
    return this.#queue.now;
  }

  after(ms: number, run: () => void): Cancel {
    let cancelled = false;
    const fire = (): void => {
      if (cancelled || !this.#isAlive()) return;
      const frozen = this.#faults.frozenUntil - this.#queue.now;
      if (frozen > 0) this.#queue.after(frozen, fire);
      else run();
    };
    this.#queue.after(ms / this.#faults.drift, fire);
    return () => {
      cancelled = true;
    };
  }

  every(ms: number, run: () => void): Cancel {
    let cancel: Cancel;
    const again = (): void => {
      cancel = this.after(ms, () => {
        again();
        run();
      });
    };
    again();
    return () => {
      cancel();
    };
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.after(ms, resolve);
      const onAbort = (): void => {
        cancel();
        resolve();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }
}
