import { resolve } from 'node:path';
import { Identity, roleAddress, type BusConfig, type Clock } from '@it-chain/contracts';
import { checkGraph, startOrder, unservedUses } from '../plugins/graph.js';
import { loadPlugins, type PluginEntry } from '../plugins/load-plugins.js';
import { looksLikePlugin } from '../plugins/manifest.js';
import {
  applyPluginLayers,
  checkBus,
  checkLevels,
  checkOnly,
  checkPluginSection,
  placed,
  sectionsOf,
} from './check-plugins.js';
import { checkSize } from './check-size.js';
import { checkSection, type Places } from './check-section.js';
import type { ConfigOptions, ConfiguredPlugin, LoadedConfig, OpenConfig } from './config-options.js';
import { findConfig, type ConfigFile } from './find-config.js';
import { Layers, type Section } from './layers.js';
import { DEFAULT_LISTEN, nodeConfigSchema, type NodeConfig, type ParsedConfig } from './node-config.js';
import { configError, type Problem } from './problem.js';
import { inputSchema, SchemaTree } from './schema-tree.js';

/** The role that the kernel serves. */
export const KERNEL_ROLES: readonly string[] = [roleAddress(Identity)];

const BASE_SECTIONS = ['node', 'bus', 'log', 'timeouts', 'limits'] as const;
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
  checkSize(data.value, name);
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
  // Checked by the schema on the line above, whose output this type is.
  return { ...common, taken, parsed: checked.value as ParsedConfig, problems: [...layers.problems] };
}

/** Loads the plugins, checks their sections and how they fit together. @throws everything that is wrong, at once */
export async function loadConfigured(open: OpenConfig, clock: Clock): Promise<LoadedConfig> {
  const { options, layers, places, parsed } = open;
  const loaded = await loadPlugins(entriesOf(layers.data), loadOptions(open), clock);
  const problems: Problem[] = [...open.problems, ...loaded.problems.map((problem) => placed(problem, places))];
  // A foreign plugin of several roles is there once for each.
  const known = [...new Set([...loaded.local, ...loaded.remote.flatMap((one) => one.loaded ?? [])])];
  const sections = [...open.sections, ...known.flatMap(sectionsOf)];
  problems.push(...applyPluginLayers(open, sections, loaded));

  const plugins: ConfiguredPlugin[] = [];
  for (const plugin of loaded.local) {
    const checked = await checkPluginSection(plugin, open);
    if ('problems' in checked) problems.push(...checked.problems);
    else plugins.push({ ...plugin, config: checked.value });
  }
  problems.push(
    ...checkOnly(options.only, loaded),
    ...checkBus(options.only, loaded, parsed),
    ...checkLevels(parsed, known, places),
  );
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
    foreign: loaded.foreign,
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
export function entriesOf(data: Record<string, unknown>): PluginEntry[] {
  const { plugins } = data;
  if (!Array.isArray(plugins)) return [];
  return (plugins as unknown[]).flatMap((entry, index) => {
    const { use, role, with: settings } = (entry ?? {}) as { use?: unknown; role?: unknown; with?: unknown };
    if ((typeof use !== 'string' || use === '') && !looksLikePlugin(use)) return [];
    const at = `plugins[${String(index)}]`;
    return [{ use, role: typeof role === 'string' ? role : undefined, at, settings }];
  });
}

/** How the plugins of this config are loaded. */
export function loadOptions(open: OpenConfig): Parameters<typeof loadPlugins>[1] {
  const { options, parsed, folder } = open;
  const importMs = parsed?.timeouts.importMs ?? 30_000;
  return { folder, resolveFrom: options.resolveFrom ?? [], importMs, only: options.only };
}

function finish(parsed: ParsedConfig, folder: string): NodeConfig {
  const { name, dataDir, id } = parsed.node;
  return {
    plugins: parsed.plugins,
    log: parsed.log,
    timeouts: parsed.timeouts,
    limits: parsed.limits,
    node: { name, dataDir: resolve(folder, dataDir ?? `data/${name}`), ...(id === undefined ? {} : { id }) },
    bus: busOf(parsed.bus),
  };
}

function busOf({ listen, url, memory }: ParsedConfig['bus']): BusConfig {
  if (memory === true) return { memory };
  return url === undefined ? { listen: listen ?? DEFAULT_LISTEN } : { url };
}
