import type { Printer } from './printer.js';

/** The beginning of a long id, for tables. */
export const short = (id: string | null): string =>
  id === null || id === '' ? '-' : id.length <= 12 ? id : id.slice(0, 12);

/** Time as people read it: ISO, to the second. */
export const timeText = (ms: number): string => (ms === 0 ? '-' : new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z'));

/** A number with thousands apart. */
export const count = (value: number): string => value.toLocaleString('en-US');

/** The colour of a state. */
export function stateText(state: string, { color }: Printer): string {
  if (['committed', 'ready', 'validator', 'ok'].includes(state)) return color.green(state);
  if (['rejected', 'failed', 'unknown'].includes(state)) return color.red(state);
  return color.yellow(state);
}
