import { resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { messageOf } from '@it-chain/contracts';
import { printPath, type Problem } from './problem.js';
import type { SchemaTree } from './schema-tree.js';
import { plainName, suggestion } from './suggest.js';

/** Where a value comes from. */
export interface Origin {
  readonly kind: 'flag' | 'environment' | 'file' | 'default';
  /** The flag, variable or file. */
  readonly name: string;
}

/** A part of the config that can be set from outside: `node`, `bus`, or a plugin by its role. */
export interface Section {
  /** How flags and variables call it. */
  readonly name: string;
  /** Where it is in the config: `['node']`, `['plugins', 2, 'with']`. */
  readonly path: readonly PropertyKey[];
  readonly tree: SchemaTree;
}

/** A value from the command line. */
export interface ConfigFlag {
  /** As the user wrote it: `--name`. */
  readonly flag: string;
  /** Section and key, joined by dots: `node.dataDir`, `p2p.dial`. */
  readonly path: string;
  readonly value: unknown;
}

/** Variables that begin with this belong to the config. */
export const VARIABLE_PREFIX = 'IT_CHAIN_';

/** The config as plain data, with what flags and variables changed, and where each of those values comes from. */
export class Layers {
  readonly data: Record<string, unknown>;
  readonly problems: Problem[] = [];
  readonly #origins: { readonly path: readonly PropertyKey[]; readonly origin: Origin }[] = [];
  readonly #base: Origin;

  constructor(data: unknown, base: Origin) {
    this.data = copyData(data) as Record<string, unknown>;
    this.#base = base;
  }

  /** Applies every variable that means one of `sections`; the names of those that were taken. */
  applyEnvironment(env: Readonly<Record<string, string | undefined>>, sections: readonly Section[]): readonly string[] {
    const taken: string[] = [];
    const found: { section: Section; keys: readonly string[]; value: unknown; origin: Origin }[] = [];
    for (const [name, text] of Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!name.startsWith(VARIABLE_PREFIX) || text === undefined) continue;
      const [head = '', ...words] = name.slice(VARIABLE_PREFIX.length).split('__');
      const section = sections.find((one) => plainName(one.name) === plainName(head));
      if (section === undefined || words.length === 0) continue;
      taken.push(name);
      const keys = keysFor(section.tree, words);
      if (keys === undefined) {
        this.problems.push(unknownVariable(name, sections));
        continue;
      }
      const twice = found.find(
        (one) => printPath([...one.section.path, ...one.keys]) === printPath([...section.path, ...keys]),
      );
      if (twice !== undefined) {
        const hint = `unset ${name} or ${twice.origin.name}`;
        const path = printPath([...section.path, ...keys]);
        this.problems.push({
          code: 'ERR_CONFIG_INVALID',
          source: name,
          path,
          message: `is set by ${twice.origin.name} too`,
          hint,
        });
        continue;
      }
      const read = readValue(text, section.tree.typesAt(keys));
      if ('fault' in read) {
        const path = printPath([...section.path, ...keys]);
        this.problems.push({
          code: 'ERR_CONFIG_INVALID',
          source: name,
          path,
          message: read.fault,
          hint: 'write one YAML value',
        });
        continue;
      }
      found.push({ section, keys, value: read.value, origin: { kind: 'environment', name } });
    }
    this.#set(found);
    return taken;
  }

  /** Applies every flag that means one of `sections`; those that were taken. Relative paths are resolved against `cwd`. */
  applyFlags(flags: readonly ConfigFlag[], sections: readonly Section[], cwd: string): readonly ConfigFlag[] {
    const taken: ConfigFlag[] = [];
    const found: { section: Section; keys: readonly string[]; value: unknown; origin: Origin }[] = [];
    for (const flag of flags) {
      const [head = '', ...words] = flag.path.split('.');
      const section = sections.find((one) => one.name === head);
      if (section === undefined) continue;
      taken.push(flag);
      const keys = keysFor(section.tree, words) ?? words;
      const isPath = section.tree.isPath(keys) && typeof flag.value === 'string';
      const value = isPath ? resolve(cwd, flag.value as string) : flag.value;
      found.push({ section, keys, value, origin: { kind: 'flag', name: flag.flag } });
    }
    this.#set(found);
    return taken;
  }

  /** Where the value at `path` comes from. */
  originOf(path: readonly PropertyKey[]): Origin {
    const set = this.#origins.findLast(({ path: at }) => at.every((part, index) => path[index] === part));
    if (set !== undefined) return set.origin;
    return has(this.data, path) ? this.#base : { kind: 'default', name: 'default' };
  }

  #set(values: readonly { section: Section; keys: readonly string[]; value: unknown; origin: Origin }[]): void {
    // The kinds of bus exclude each other: a higher layer that sets one takes the others back.
    const bus = values.filter(({ section, value }) => section.name === 'bus' && value !== false);
    const section = this.data['bus'];
    const [only] = bus.map(({ keys }) => keys[0]);
    if (bus.length === 1 && isTable(section)) {
      for (const kind of ['listen', 'url', 'memory']) if (kind !== only) Reflect.deleteProperty(section, kind);
    }
    for (const { section: to, keys, value, origin } of values) {
      const path = [...to.path, ...keys];
      if (setAt(this.data, path, value)) this.#origins.push({ path, origin });
    }
  }
}

/** Every name of a variable that means something. */
export function variableNames(sections: readonly Section[]): readonly string[] {
  return sections.flatMap(({ name, tree }) =>
    tree.leaves().map((keys) => VARIABLE_PREFIX + [name, ...keys].map(variableWord).join('__')),
  );
}

/** The problem of a variable that means nothing. */
export function unknownVariable(name: string, sections: readonly Section[]): Problem {
  return {
    code: 'ERR_CONFIG_INVALID',
    source: name,
    path: '',
    message: 'no setting has this environment variable',
    hint: suggestion(name, variableNames(sections)) ?? 'unset it',
  };
}

function variableWord(key: string): string {
  return key
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]/g, '_')
    .toUpperCase();
}

function keysFor(tree: SchemaTree, words: readonly string[]): readonly string[] | undefined {
  const keys: string[] = [];
  for (const word of words) {
    const key = word === '' ? undefined : tree.keyFor(keys, word);
    if (key === undefined) return undefined;
    keys.push(key);
  }
  return keys;
}

/** Text stays text where only text may stand; else it is one YAML value, and a list may be written with commas. */
function readValue(text: string, types: readonly string[]): { readonly value: unknown } | { readonly fault: string } {
  const only = (type: string): boolean => types.length > 0 && types.every((one) => one === type);
  if (only('string')) return { value: text };
  if (only('array') && !text.trim().startsWith('[')) {
    return {
      value: text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    };
  }
  try {
    const document = parseDocument(text, { uniqueKeys: true, prettyErrors: false });
    const [error] = document.errors;
    return error === undefined ? { value: document.toJS({ maxAliasCount: 0 }) } : { fault: error.message };
  } catch (cause) {
    // Aliases, which a variable has no use for, and nesting beyond the stack.
    return { fault: messageOf(cause) };
  }
}

function setAt(data: Record<string, unknown>, path: readonly PropertyKey[], value: unknown): boolean {
  let current: unknown = data;
  for (const [index, part] of path.entries()) {
    if (part === '__proto__' || typeof current !== 'object' || current === null) return false;
    const table = current as Record<PropertyKey, unknown>;
    if (index === path.length - 1) {
      table[part] = value;
      return true;
    }
    if (!Object.hasOwn(table, part) || table[part] === null) table[part] = {};
    current = table[part];
  }
  return false;
}

function has(data: unknown, path: readonly PropertyKey[]): boolean {
  let current = data;
  for (const part of path) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, part)) return false;
    current = (current as Record<PropertyKey, unknown>)[part];
  }
  return true;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A plain table: not a plugin given as an object, nor anything else that is made by a class. */
export function isPlainTable(value: unknown): value is Record<string, unknown> {
  return isTable(value) && Object.getPrototypeOf(value) === Object.prototype && !('setup' in value);
}

/** A copy of tables and lists; everything else (a plugin given as an object, a function) is kept as it is. */
function copyData(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyData);
  if (!isPlainTable(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copyData(item)]));
}
