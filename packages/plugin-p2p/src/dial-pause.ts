/** How long a peer is left alone between two dials. */
export interface DialPauseOptions {
  /** Shortest pause, in ms. */
  readonly minPauseMs: number;
  /** Longest pause, in ms. */
  readonly maxPauseMs: number;
}

/**
 * The pause after a number of dials that failed in a row: doubled each time, capped, and between half and all of it, so
 * that nodes which lost each other at once do not come back at once. Never below the shortest pause.
 * @param random from 0 up to 1
 */
export function dialPause(failures: number, random: number, { minPauseMs, maxPauseMs }: DialPauseOptions): number {
  const full = Math.min(maxPauseMs, minPauseMs * 2 ** Math.min(failures, 20));
  return Math.max(minPauseMs, Math.round(full * (0.5 + random / 2)));
}
