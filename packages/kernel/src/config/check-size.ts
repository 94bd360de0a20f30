import { isPlainTable } from './layers.js';
import { configError } from './problem.js';

/** Most values of a config, with everything that an alias repeats. */
const MAX_VALUES = 20_000;
/** Deepest nesting of a config. */
const MAX_DEPTH = 64;

/**
 * Refuses a config that would unfold beyond any use: aliases of aliases, or an object that contains itself. Everything
 * after this may walk through the values without a thought.
 * @throws ERR_CONFIG_FORMAT
 */
export function checkSize(value: unknown, source: string): void {
  let left = MAX_VALUES;
  const walk = (item: unknown, depth: number): void => {
    left -= 1;
    if (left < 0) throw tooLarge(source, `holds more than ${MAX_VALUES} values`);
    if (depth > MAX_DEPTH) throw tooLarge(source, `is nested deeper than ${MAX_DEPTH} levels`);
    if (Array.isArray(item)) for (const inner of item) walk(inner, depth + 1);
    else if (isPlainTable(item)) for (const inner of Object.values(item)) walk(inner, depth + 1);
  };
  walk(value, 0);
}

function tooLarge(source: string, message: string): Error {
  const hint = 'look for aliases of aliases, or for an object that contains itself';
  return configError([{ code: 'ERR_CONFIG_FORMAT', source, path: '', message, hint }]);
}
