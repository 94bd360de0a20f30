/** Undoes what is pending. Safe to call twice. */
export type Cancel = () => void;

/** Time is asked for, never taken: a simulator hands in its own. */
export interface Clock {
  /** Wall-clock time, in ms since the epoch. May jump. */
  now(): number;
  /** Time that never goes back, in ms since some moment. */
  monotonic(): number;
  /** Calls back once after `ms`. */
  after(ms: number, run: () => void): Cancel;
  /** Calls back every `ms` until cancelled. */
  every(ms: number, run: () => void): Cancel;
  /** Resolves after `ms`, or when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
