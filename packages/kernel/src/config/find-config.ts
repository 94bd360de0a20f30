import { existsSync, statSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import { cosmiconfig, type Loader } from 'cosmiconfig';
import { isItChainError, messageOf, type Clock } from '@it-chain/contracts';
import { withLimit } from '../boot/with-limit.js';
import { parseConfigText, type ParsedText } from './parse-text.js';
import { configError } from './problem.js';
import { readConfigText } from './read-text.js';

const KINDS = ['yaml', 'yml', 'json', 'js', 'mjs', 'cjs', 'ts'] as const;
const CODE_KINDS = new Set(['.js', '.mjs', '.cjs', '.ts']);
/** Limit of a config file that is a program, in ms. */
const LOAD_MS = 30_000;

/** A config file that was read. */
export interface ConfigFile extends ParsedText {
  /** Absolute. */
  readonly file: string;
  /** Its folder: what relative paths are resolved against. */
  readonly folder: string;
}

/**
 * Reads the config file: `named` (--config), or the one it-chain.config.* in `cwd`; never in a folder above.
 * Undefined where none is named and none is there.
 * @throws ERR_CONFIG_NOT_FOUND, ERR_CONFIG_AMBIGUOUS, ERR_CONFIG_FORMAT, ERR_CONFIG_ENCODING, ERR_CONFIG_SYNTAX, ERR_CONFIG_LOAD
 */
export async function findConfig(
  cwd: string,
  named: string | undefined,
  clock: Clock,
): Promise<ConfigFile | undefined> {
  if (named === undefined) checkOnlyOne(cwd);
  const file = named === undefined ? undefined : checkNamed(resolve(cwd, named));
  const parsed = new Map<string, ParsedText>();
  const explorer = explorerFor(parsed);
  const found = await guarded(file ?? cwd, clock, () =>
    file === undefined ? explorer.search(cwd) : explorer.load(file),
  );
  if (found === null) return undefined;
  const text = parsed.get(found.filepath) ?? { value: found.config as unknown, locate: () => undefined };
  if (CODE_KINDS.has(extname(found.filepath))) checkExport(found.filepath, text.value);
  return { ...text, value: text.value ?? {}, file: found.filepath, folder: dirname(found.filepath) };
}

function explorerFor(parsed: Map<string, ParsedText>): ReturnType<typeof cosmiconfig> {
  // The explorer decodes wrong bytes silently, so a text file is read again, strictly.
  const text: Loader = (file) => {
    const result = parseConfigText(file, readConfigText(file));
    parsed.set(file, result);
    return result.value ?? {};
  };
  const typescript: Loader = async (file) => {
    // A compiler, which few configs need.
    const { createJiti } = await import('jiti');
    return createJiti(import.meta.url, { fsCache: false, moduleCache: false }).import(file, { default: true });
  };
  return cosmiconfig('it-chain', {
    searchPlaces: KINDS.map((kind) => `it-chain.config.${kind}`),
    searchStrategy: 'none',
    ignoreEmptySearchPlaces: false,
    cache: false,
    loaders: { '.yaml': text, '.yml': text, '.json': text, '.ts': typescript },
  });
}

function checkOnlyOne(cwd: string): void {
  const present = KINDS.map((kind) => `it-chain.config.${kind}`).filter((name) => existsSync(join(cwd, name)));
  if (present.length < 2) return;
  throw configError([
    {
      code: 'ERR_CONFIG_AMBIGUOUS',
      source: cwd,
      path: '',
      message: `there is more than one config file: ${present.join(', ')}`,
      hint: `keep one, or say which: --config ${present[0] ?? ''}`,
    },
  ]);
}

function checkNamed(file: string): string {
  if (!existsSync(file)) {
    throw configError([
      {
        code: 'ERR_CONFIG_NOT_FOUND',
        source: file,
        path: '',
        message: 'there is no such file',
        hint: 'check --config',
      },
    ]);
  }
  const kind = extname(file).slice(1);
  if (!(KINDS as readonly string[]).includes(kind) || !statSync(file).isFile()) {
    const hint = `use a file that ends in ${KINDS.join(', ')}`;
    throw configError([{ code: 'ERR_CONFIG_FORMAT', source: file, path: '', message: 'is no config file', hint }]);
  }
  return file;
}

function checkExport(file: string, value: unknown): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  throw loadError(
    file,
    `exports ${value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value}, not an object`,
  );
}

async function guarded<T>(place: string, clock: Clock, load: () => Promise<T>): Promise<T> {
  try {
    const result = await withLimit(load(), LOAD_MS, clock);
    if ('value' in result) return result.value as T;
  } catch (cause) {
    if (isItChainError(cause)) throw cause;
    const { filepath } = cause as { filepath?: unknown };
    throw loadError(typeof filepath === 'string' ? filepath : place, messageOf(cause), cause);
  }
  throw loadError(place, `did not finish loading within ${String(LOAD_MS)} ms`);
}

function loadError(source: string, message: string, cause?: unknown): Error {
  const stack = cause instanceof Error ? (cause.stack ?? '') : '';
  const at = stack.includes(source)
    ? /:(\d+)(?::(\d+))?/.exec(stack.slice(stack.indexOf(source) + source.length))
    : null;
  const position = at === null ? {} : { line: Number(at[1]), column: Number(at[2] ?? 1) };
  const hint = 'export the config as the default export; node FILE shows more';
  const [first = message] = message.split('\n', 1);
  return configError([{ code: 'ERR_CONFIG_LOAD', source, ...position, path: '', message: first, hint, cause }]);
}
