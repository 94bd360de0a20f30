import { resolve } from 'node:path';
import { Identity, z } from '@it-chain/contracts';
import type { LoadResult } from '../plugins/load-plugins.js';
import { FAILPOINT_VARIABLE } from '../services/failpoints.js';
import { displayRole, type LoadedPlugin } from '../plugins/loaded-plugin.js';
import { checkSection, type Places, type SectionResult } from './check-section.js';
import type { OpenConfig } from './config-options.js';
import { unknownVariable, VARIABLE_PREFIX, type Section } from './layers.js';
import type { ParsedConfig } from './node-config.js';
import type { Problem } from './problem.js';
import { inputSchema, SchemaTree } from './schema-tree.js';
import { suggestion } from './suggest.js';

function indexOf(plugin: LoadedPlugin): number {
  return Number(/\[(\d+)\]/.exec(plugin.at)?.[1] ?? 0);
}

/** A plugin's section under its role, and under its own name where that is another word. */
export function sectionsOf(plugin: LoadedPlugin): Section[] {
  const tree = new SchemaTree(inputSchema(plugin.plugin.config));
  const names = new Set([displayRole(plugin), plugin.plugin.name]);
  return [...names].map((name) => ({ name, path: ['plugins', indexOf(plugin), 'with'], tree }));
}

/** Applies variables and flags to the plugins' sections; what means nothing is a problem. */
export function applyPluginLayers(
  open: OpenConfig,
  sections: readonly Section[],
  loaded: LoadResult,
): readonly Problem[] {
  const { options, layers, taken } = open;
  const before = layers.problems.length;
  const own = sections.slice(open.sections.length);
  const variables = new Set([
    ...taken.variables,
    ...layers.applyEnvironment(options.env, own),
    ...(options.otherVariables ?? []),
    FAILPOINT_VARIABLE,
  ]);
  const flags = new Set([...taken.flags, ...layers.applyFlags(options.flags ?? [], own, options.cwd)]);
  const problems = layers.problems.slice(before);
  // Settings of plugins that failed to load, or that run elsewhere unseen, cannot be told from mistakes.
  const unseen = loaded.problems.length > 0 || loaded.remote.some((one) => one.loaded === undefined);
  if (unseen) return problems;
  for (const name of Object.keys(options.env).sort()) {
    if (!name.startsWith(VARIABLE_PREFIX) || options.env[name] === undefined || variables.has(name)) continue;
    problems.push(unknownVariable(name, sections));
  }
  for (const flag of options.flags ?? []) {
    if (flags.has(flag)) continue;
    const names = sections.map(({ name }) => name);
    const [head = ''] = flag.path.split('.');
    const message = `sets ${flag.path}, but there is no section ${head}`;
    problems.push({
      code: 'ERR_CONFIG_INVALID',
      source: flag.flag,
      path: flag.path,
      message,
      hint: suggestion(head, names),
    });
  }
  return problems;
}

/** Checks a plugin's section with its schema; paths in it become absolute. */
export async function checkPluginSection(
  plugin: LoadedPlugin,
  { layers, places, folder }: OpenConfig,
): Promise<SectionResult> {
  const index = indexOf(plugin);
  const entry = (layers.data['plugins'] as { with?: unknown }[])[index];
  const value = entry?.with;
  const path = ['plugins', index, 'with'];
  const tree = new SchemaTree(inputSchema(plugin.plugin.config));
  // A section that is no table was told by the base schema already.
  if (value !== undefined && (typeof value !== 'object' || value === null || Array.isArray(value))) return { value };
  const schema = plugin.plugin.config ?? z.object({}).prefault({});
  const input: unknown = value === undefined ? await emptySection(schema) : value;
  return checkSection({ value: withAbsolutePaths(input, tree, folder), schema, tree, path }, places);
}

/** A section that is left out is undefined to a schema that takes that, else an empty table. */
async function emptySection(schema: z.ZodType): Promise<unknown> {
  try {
    return (await schema.safeParseAsync(undefined)).success ? undefined : {};
  } catch {
    // The check that follows tells it with its place.
    return {};
  }
}

function withAbsolutePaths(
  value: unknown,
  tree: SchemaTree,
  folder: string,
  path: readonly PropertyKey[] = [],
): unknown {
  if (typeof value === 'string') return value !== '' && tree.isPath(path) ? resolve(folder, value) : value;
  if (Array.isArray(value)) return value.map((item, index) => withAbsolutePaths(item, tree, folder, [...path, index]));
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, withAbsolutePaths(item, tree, folder, [...path, key])]),
  );
}

/** Every name of --only must be a role of this config. */
export function checkOnly(
  only: readonly string[] | undefined,
  { local, remote, problems }: LoadResult,
): readonly Problem[] {
  if (only === undefined || problems.length > 0) return [];
  const names = [...local.map(displayRole), ...remote.map(({ role }) => role), Identity.name];
  return only
    .filter((role) => !names.includes(role))
    .map((role) => ({
      code: 'ERR_PLUGIN_ROLE_UNKNOWN',
      source: '--only',
      path: role,
      message: 'no plugin of the config plays this role',
      hint: suggestion(role, names),
    }));
}

/** A bus in memory is in one process: neither the others of a split node nor a plugin elsewhere could ever reach it. */
export function checkBus(
  only: readonly string[] | undefined,
  { foreign }: Pick<LoadResult, 'foreign'>,
  parsed: ParsedConfig | undefined,
): readonly Problem[] {
  if (parsed?.bus.memory !== true) return [];
  const problem = { code: 'ERR_CONFIG_BUS_IN_MEMORY', path: 'bus.memory' } as const;
  const hint = 'set bus.listen or bus.url instead';
  const part: Problem = {
    ...problem,
    source: '--only',
    message: 'a process with a part of a node needs a bus that the others can reach',
    hint: `${hint}, or leave --only away`,
  };
  return [
    ...(only === undefined ? [] : [part]),
    ...foreign.map(({ name }): Problem => ({
      ...problem,
      message: `the plugin ${name} runs in a process of its own and needs a bus that it can reach`,
      hint,
    })),
  ];
}

/** Levels are given by plugin; a name that is none would silently do nothing. */
export function checkLevels(
  parsed: ParsedConfig | undefined,
  known: readonly LoadedPlugin[],
  places: Places,
): readonly Problem[] {
  const names = ['kernel', ...known.map(({ plugin }) => plugin.name)];
  return Object.keys(parsed?.log.levels ?? {})
    .filter((name) => !names.includes(name))
    .map((name) =>
      placed(
        {
          code: 'ERR_CONFIG_INVALID',
          path: `log.levels.${name}`,
          message: 'no plugin has this name',
          hint: suggestion(name, names),
        },
        places,
        ['log', 'levels', name],
      ),
    );
}

/** Adds file and line to a problem of an entry of the list of plugins. */
export function placed(problem: Problem, { layers, locate }: Places, path = pathOf(problem.path)): Problem {
  const base = layers.originOf([]);
  return { ...(base.kind === 'file' ? { source: base.name, ...locate(path) } : {}), ...problem };
}

function pathOf(text: string): PropertyKey[] {
  return [...text.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, key]) =>
    index === undefined ? (key ?? '') : Number(index),
  );
}
