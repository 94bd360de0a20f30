import { resolve } from 'node:path';
import { Identity, roleAddress, z, type Clock } from '@it-chain/contracts';
import { checkGraph, startOrder, unservedUses } from '../plugins/graph.js';
import { loadPlugins, type LoadResult, type PluginEntry } from '../plugins/load-plugins.js';
import { addressesOf, displayRole, type LoadedPlugin } from '../plugins/loaded-plugin.js';
import { looksLikePlugin } from '../plugins/manifest.js';
import { checkSection, type Places } from './check-section.js';
import { findConfig, type ConfigFile } from './find-config.js';
import { Layers, unknownVariable, VARIABLE_PREFIX, type ConfigFlag, type Section } from './layers.js';
import { DEFAULT_LISTEN, nodeConfigSchema, type NodeConfig, type ParsedConfig } from './node-config.js';
import { configError, type Problem } from './problem.js';
import { inputSchema, SchemaTree } from './schema-tree.js';
import { suggestion } from './suggest.js';

/** Where a config comes from. */
export interface ConfigOptions {
  /** The current folder: where a config file is looked for, and what paths in flags are relative to. */
  readonly cwd: string;
  /** The file of --config. */
  readonly file?: string | undefined;
  /** The config itself instead of a file, for tests and for embedding; `use` may be a plugin object. */
  readonly config?: unknown;
  /** The environment; only names that begin with IT_CHAIN_ are read. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly flags?: readonly ConfigFlag[] | undefined;
  /** What stands where there is no file, and the list of plugins where a file has none. */
  readonly defaults: {
    readonly plugins: readonly { readonly use: unknown; readonly role?: string; readonly with?: unknown }[];
  };
  /** Files or folders from which packages are resolved when the config's folder does not have them. */
  readonly resolveFrom?: readonly string[] | undefined;
  /** Roles of this process (--only); absent = all. `identity` is one of them. */
  readonly only?: readonly string[] | undefined;
  /** Names that begin with IT_CHAIN_ and are no settings, such as those of the command itself. */
  readonly otherVariables?: readonly string[] | undefined;
}

/** A plugin with its checked section. */
export interface ConfiguredPlugin extends LoadedPlugin {
  readonly config: unknown;
}

/** The config after its file, the variables and the flags were read, before any plugin was loaded. */
export interface OpenConfig {
  readonly options: ConfigOptions;
  readonly file?: string | undefined;
  readonly folder: string;
  readonly layers: Layers;
  readonly places: Places;
  /** Absent where the base sections are too wrong to go on. */
  readonly parsed?: ParsedConfig | undefined;
  readonly sections: readonly Section[];
  readonly taken: { readonly variables: readonly string[]; readonly flags: readonly ConfigFlag[] };
  readonly problems: readonly Problem[];
}

/** A config in which everything was checked. */
export interface LoadedConfig {
  readonly config: NodeConfig;
  readonly file?: string | undefined;
  readonly folder: string;
  /** The plugins of this process, in the order of start. */
  readonly plugins: readonly ConfiguredPlugin[];
  /** Roles that other processes of this node serve. */
  readonly remote: LoadResult['remote'];
  /** True where this process holds the node's key. */
  readonly holdsKey: boolean;
  readonly warnings: readonly string[];
  readonly layers: Layers;
  readonly sections: readonly Section[];
}

/** The role that the kernel serves. */
export const KERNEL_ROLES: readonly string[] = [roleAddress(Identity)];

const BASE_SECTIONS = ['node', 'bus', 'log', 'timeouts'] as const;
const baseTree = new SchemaTree(inputSchema(nodeConfigSchema));

/** Reads and checks everything. Opens no socket and writes no file. @throws ERR_CONFIG_*, ERR_PLUGIN_* with all problems */
export async function loadConfig(options: ConfigOptions, clock: Clock): Promise<LoadedConfig> {
  return loadConfigured(await openConfig(options, clock), clock);
}

/** Reads the file, the variables and the flags, and checks the sections that are not plugins'. */
export async function openConfig(options: ConfigOptions, clock: Clock): Promise<OpenConfig> {
  const found: ConfigFile | undefined =
    options.config === undefined ? await findConfig(options.cwd, options.file, clock) : undefined;
  const data = withDefaults(options.config ?? found?.value, options.defaults);
  const name = found?.file ?? (options.config === undefined ? 'default' : 'config');
  const layers = new Layers(data.value, { kind: found === undefined ? 'default' : 'file', name });
  const sections: Section[] = BASE_SECTIONS.map((section) => ({
    name: section,
    path: [section],
    tree: new SchemaTree(inputSchema(nodeConfigSchema.shape[section])),
  }));
  const variables = layers.applyEnvironment(options.env, sections);
  const flags = layers.applyFlags(options.flags ?? [], sections, options.cwd);
  const places: Places = { layers, locate: found?.locate ?? (() => undefined) };
  const checked = await checkSection(
    { value: withoutObjects(layers.data), schema: nodeConfigSchema, tree: baseTree, path: [], skip: isPluginSection },
    places,
  );
  const common = { options, file: found?.file, folder: found?.folder ?? options.cwd, layers, places, sections };
  const taken = { variables, flags };
  if ('problems' in checked) return { ...common, taken, problems: [...layers.problems, ...checked.problems] };
  return { ...common, taken, parsed: checked.value as ParsedConfig, problems: [...layers.problems] };
}

/** Loads the plugins, checks their sections and how they fit together. @throws everything that is wrong, at once */
export async function loadConfigured(open: OpenConfig, clock: Clock): Promise<LoadedConfig> {
  const { options, layers, places, parsed } = open;
  const loaded = await loadPlugins(entriesOf(layers.data), loadOptions(open), clock);
  const problems: Problem[] = [...open.problems, ...loaded.problems.map((problem) => placed(problem, places))];
  const known = [...loaded.local, ...loaded.remote.flatMap((one) => one.loaded ?? [])];
  const sections = [...open.sections, ...known.flatMap(sectionsOf)];
  problems.push(...applyPluginLayers(open, sections, loaded));

  const plugins: ConfiguredPlugin[] = [];
  for (const plugin of loaded.local) {
    const checked = await checkPluginSection(plugin, open);
    if ('problems' in checked) problems.push(...checked.problems);
    else plugins.push({ ...plugin, config: checked.value });
  }
  problems.push(...checkOnly(options.only, loaded), ...checkLevels(parsed, known, places));
  const remote = loaded.remote.map(({ role }) => role);
  const graph = { plugins: known, remote, kernel: KERNEL_ROLES };
  // With an entry that could not be loaded, "nobody provides" would be a second message about the same mistake.
  const fits = checkGraph(graph).filter(
    ({ code }) => loaded.problems.length === 0 || code !== 'ERR_PLUGIN_ROLE_MISSING',
  );
  problems.push(...fits.map((problem) => placed(problem, places)));
  if (problems.length > 0 || parsed === undefined) throw configError(problems);

  const order = startOrder(plugins).map((one) => one.plugin);
  return {
    config: finish(parsed, open.folder),
    file: open.file,
    folder: open.folder,
    plugins: [...plugins].sort((a, b) => order.indexOf(a.plugin) - order.indexOf(b.plugin)),
    remote: loaded.remote,
    holdsKey: options.only === undefined || options.only.includes(Identity.name),
    warnings: unservedUses(graph).map(({ plugin, role }) => `${plugin} uses the role ${role}, which nobody provides`),
    layers,
    sections,
  };
}

function withDefaults(value: unknown, defaults: ConfigOptions['defaults']): { readonly value: unknown } {
  if (value === undefined) return { value: defaults };
  const table = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!table || 'plugins' in value) return { value };
  return { value: { ...value, plugins: defaults.plugins } };
}

/** For the base schema a plugin given as an object is its name: the schema knows text only. */
function withoutObjects(data: Record<string, unknown>): unknown {
  const { plugins } = data;
  if (!Array.isArray(plugins)) return data;
  const named = (plugins as unknown[]).map((entry) => {
    const use = (entry as { use?: unknown } | null)?.use;
    return looksLikePlugin(use) ? { ...(entry as object), use: String(use['name']) } : entry;
  });
  return { ...data, plugins: named };
}

function isPluginSection(path: readonly PropertyKey[]): boolean {
  return path[0] === 'plugins' && path[2] === 'with' && path.length > 3;
}

/** The entries that can be loaded; what is wrong with the others was told by the base schema. */
function entriesOf(data: Record<string, unknown>): PluginEntry[] {
  const { plugins } = data;
  if (!Array.isArray(plugins)) return [];
  return (plugins as unknown[]).flatMap((entry, index) => {
    const { use, role } = (entry ?? {}) as { use?: unknown; role?: unknown };
    if ((typeof use !== 'string' || use === '') && !looksLikePlugin(use)) return [];
    return [{ use, role: typeof role === 'string' ? role : undefined, at: `plugins[${String(index)}]` }];
  });
}

function loadOptions(open: OpenConfig): Parameters<typeof loadPlugins>[1] {
  const { options, parsed, folder } = open;
  const importMs = parsed?.timeouts.importMs ?? 30_000;
  return { folder, resolveFrom: options.resolveFrom ?? [], importMs, only: options.only };
}

function indexOf(plugin: LoadedPlugin): number {
  return Number(/\[(\d+)\]/.exec(plugin.at)?.[1] ?? 0);
}

/** A plugin's section under its role, and under its own name where that is another word. */
function sectionsOf(plugin: LoadedPlugin): Section[] {
  const tree = new SchemaTree(inputSchema(plugin.plugin.config));
  return [{ name: displayRole(plugin), path: ['plugins', indexOf(plugin), 'with'], tree }];
}

/** Applies variables and flags to the plugins' sections; what means nothing is a problem. */
function applyPluginLayers(open: OpenConfig, sections: readonly Section[], loaded: LoadResult): readonly Problem[] {
  const { options, layers, taken } = open;
  const before = layers.problems.length;
  const own = sections.slice(open.sections.length);
  const variables = new Set([
    ...taken.variables,
    ...layers.applyEnvironment(options.env, own),
    ...(options.otherVariables ?? []),
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

async function checkPluginSection(
  plugin: LoadedPlugin,
  { layers, places, folder }: OpenConfig,
): Promise<{ readonly value: unknown } | { readonly problems: readonly Problem[] }> {
  const index = indexOf(plugin);
  const entry = (layers.data['plugins'] as { with?: unknown }[])[index];
  const value = entry?.with;
  const path = ['plugins', index, 'with'];
  const tree = new SchemaTree(inputSchema(plugin.plugin.config));
  // A section that is no table was told by the base schema already.
  if (value !== undefined && (typeof value !== 'object' || value === null || Array.isArray(value))) return { value };
  const schema = plugin.plugin.config ?? z.object({}).prefault({});
  const input = value === undefined ? await emptySection(schema) : value;
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

function checkOnly(only: readonly string[] | undefined, { local, remote, problems }: LoadResult): readonly Problem[] {
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

/** Levels are given by plugin; a name that is none would silently do nothing. */
function checkLevels(
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
function placed(problem: Problem, { layers, locate }: Places, path = pathOf(problem.path)): Problem {
  const base = layers.originOf([]);
  return { ...(base.kind === 'file' ? { source: base.name, ...locate(path) } : {}), ...problem };
}

function pathOf(text: string): PropertyKey[] {
  return [...text.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, key]) =>
    index === undefined ? (key ?? '') : Number(index),
  );
}

function finish(parsed: ParsedConfig, folder: string): NodeConfig {
  const { name, dataDir, id } = parsed.node;
  const { listen, url } = parsed.bus;
  return {
    plugins: parsed.plugins,
    log: parsed.log,
    timeouts: parsed.timeouts,
    node: { name, dataDir: resolve(folder, dataDir ?? `data/${name}`), ...(id === undefined ? {} : { id }) },
    bus: url === undefined ? { listen: listen ?? DEFAULT_LISTEN } : { url },
  };
}
