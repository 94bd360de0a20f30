import type { EventQueue } from '../event-queue.js';

/** How simulated time passes where plugins work with promises: after each event they settle before the next one happens. */
export class Passage {
  readonly #queue: EventQueue;
  readonly #isOver: () => boolean;

  constructor(queue: EventQueue, isOver: () => boolean) {
    this.#queue = queue;
    this.#isOver = isOver;
  }

  /** Lets time pass until `done`, or until the run is over. @returns whether it is done */
  async pass(ms: number, done: () => boolean = () => false): Promise<boolean> {
    const end = this.#queue.now + ms;
    await settle();
    while (!this.#isOver() && !done()) {
      if (!this.#queue.step(end)) break;
      await settle();
    }
    return done();
  }

  /** Waits for a promise in simulated time. Undefined where it fails, or does not settle within `ms`. */
  async wait<T>(promise: Promise<T>, ms = 30_000): Promise<T | undefined> {
    let outcome: { readonly value: T | undefined } | undefined;
    promise.then(
      (value) => (outcome = { value }),
      () => (outcome = { value: undefined }),
    );
    await this.pass(ms, () => outcome !== undefined);
    return outcome?.value;
  }
}

/** Lets promises settle until nothing but time can move them. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
