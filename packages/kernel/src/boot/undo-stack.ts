import { failure, messageOf, type Clock } from '@it-chain/contracts';
import { withLimit } from './with-limit.js';

interface Undo {
  /** What is undone: `stop of plugin leveldb`. */
  readonly name: string;
  readonly run: () => void | Promise<void>;
}

/** Limit of what is undone after everything else was, in ms. */
const LATE_MS = 5_000;
/** Time that every step still has after one that hangs, in ms. */
const RESERVE_MS = 250;

/** What was done, to be undone in reverse within one limit. A step that fails or hangs never keeps the others from running. */
export class UndoStack {
  readonly #undos: Undo[] = [];
  readonly #clock: Clock;
  #running: Promise<readonly Error[]> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes how to undo what was just done, or is about to be. What comes after {@link run} was called is undone at once. */
  push(name: string, run: () => void | Promise<void>): void {
    if (this.#running === undefined) {
      this.#undos.push({ name, run });
      return;
    }
    // The start was given up while this was under way; its errors have nobody to go to any more.
    void this.#runOne({ name, run }, LATE_MS, []);
  }

  /** Undoes everything, last first, within `limitMs` in all; gives what went wrong. A second call gives the first's result. */
  run(limitMs: number): Promise<readonly Error[]> {
    this.#running ??= this.#runAll(limitMs);
    return this.#running;
  }

  async #runAll(limitMs: number): Promise<readonly Error[]> {
    const end = this.#clock.monotonic() + limitMs;
    const errors: Error[] = [];
    for (let undo = this.#undos.pop(); undo !== undefined; undo = this.#undos.pop()) {
      const left = Math.max(0, end - this.#clock.monotonic());
      // A step may use what is left but for a small share of each step that comes after it.
      const reserve = Math.min(left / 2, RESERVE_MS * this.#undos.length);
      await this.#runOne(undo, Math.max(10, left - reserve), errors);
    }
    return errors;
  }

  async #runOne({ name, run }: Undo, limitMs: number, errors: Error[]): Promise<void> {
    try {
      const result = await withLimit(Promise.resolve().then(run), limitMs, this.#clock);
      if ('timedOut' in result) {
        const message = `${name} did not finish within ${String(Math.round(limitMs))} ms`;
        errors.push(failure('ERR_PLUGIN_TIMEOUT', message, { data: { phase: 'stop' } }));
      }
    } catch (cause) {
      errors.push(
        failure('ERR_PLUGIN_FAILED', `${name} failed: ${messageOf(cause)}`, { cause, data: { phase: 'stop' } }),
      );
    }
  }
}
