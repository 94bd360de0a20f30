import type { EventQueue } from '../event-queue.js';
import type { Random } from '../random.js';
import type { Switchboard } from './switchboard.js';

/** How long the sides of twins stay as they are, in simulated ms: some heights. */
const SIDES_MS = { from: 1_000, to: 4_000 };

/**
 * Which of two processes with one key has the sessions to which others. A gateway takes one session from each key, so the
 * twins share the others among themselves, and now and then share them anew: each side hears one half of a contradiction.
 */
export class TwinSides {
  /** By process: the other twin, for those that are one. */
  readonly #siblings = new Map<number, number>();
  readonly #sides = new Map<number, boolean>();
  readonly #processes: number;
  readonly #random: Random;

  /** Pairs of processes with one key, among so many. */
  constructor(processes: number, pairs: readonly (readonly [number, number])[], random: Random) {
    this.#processes = processes;
    this.#random = random;
    for (const [first, second] of pairs) {
      this.#siblings.set(first, second);
      this.#siblings.set(second, first);
    }
  }

  /** Shares the others anew from now on, again and again. */
  begin(queue: EventQueue, board: Switchboard): void {
    if (this.#siblings.size === 0) return;
    for (let process = 0; process < this.#processes; process += 1) this.#sides.set(process, this.#random.chance(0.5));
    board.breakForbidden();
    queue.after(this.#random.between(SIDES_MS.from, SIDES_MS.to), () => this.begin(queue, board));
  }

  /** Whether two processes may have a session. */
  mayMeet(a: number, b: number): boolean {
    return this.#meets(a, b) && this.#meets(b, a);
  }

  #meets(process: number, other: number): boolean {
    const sibling = this.#siblings.get(process);
    if (sibling === undefined || this.#sides.size === 0) return true;
    return other !== sibling && this.#sides.get(other) === process < sibling;
  }
}
