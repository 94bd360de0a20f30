import { isItChainError, z, type Clock } from '@it-chain/contracts';
import { redact } from '../log/redact.js';
import { loadPlugins } from '../plugins/load-plugins.js';
import type { ConfigOptions, LoadedConfig } from './config-options.js';
import { loadConfig, openConfig } from './load-config.js';
import { nodeConfigSchema } from './node-config.js';
import { configError, type ConfigError, printPath, type Problem } from './problem.js';
import { inputSchema, type SchemaNode } from './schema-tree.js';

/** One value that is in force. */
export interface ConfigSource {
  /** `plugins[2].with.maxPending`. */
  readonly path: string;
  /** Masked where it is a secret. */
  readonly value: unknown;
  /** `default`, `file`, `environment` or `flag`. */
  readonly kind: string;
  /** The file, variable or flag. */
  readonly from: string;
}

/** Everything that is wrong with a config; empty where a node could start with it. Opens and writes nothing. */
export async function checkConfig(options: ConfigOptions, clock: Clock): Promise<readonly Problem[]> {
  try {
    await loadConfig(options, clock);
    return [];
  } catch (error) {
    if (isItChainError(error) && 'problems' in error) return (error as ConfigError).problems;
    throw error;
  }
}

/** The config in force, with every default, as `config show` prints it: secrets are masked. */
export function shownConfig(loaded: LoadedConfig): unknown {
  const { plugins, ...sections } = loaded.config;
  const entries = plugins.map((entry, index) => {
    const configured = loaded.plugins.find(({ at }) => at === `plugins[${String(index)}]`);
    const role = configured?.role ?? entry.role;
    const section = configured?.config ?? entry.with;
    return {
      use: entry.use,
      ...(role === undefined ? {} : { role }),
      ...(section === undefined ? {} : { with: section }),
    };
  });
  return mask({ ...sections, plugins: entries });
}

/** Every value in force and where it comes from, in the order of the file. */
export function configSources(loaded: LoadedConfig): readonly ConfigSource[] {
  const sources: ConfigSource[] = [];
  const walk = (value: unknown, path: readonly PropertyKey[]): void => {
    const entries = Array.isArray(value)
      ? value.map((item, index) => [index, item] as const)
      : typeof value === 'object' && value !== null
        ? Object.entries(value)
        : [];
    if (entries.length > 0) {
      for (const [key, item] of entries) walk(item, [...path, key]);
      return;
    }
    const { kind, name } = loaded.layers.originOf(path);
    sources.push({ path: printPath(path), value, kind, from: kind === 'default' ? 'default' : name });
  };
  walk(shownConfig(loaded), []);
  return sources;
}

/**
 * One JSON Schema for the whole file, with the sections of the plugins that the config (or the default list) names.
 * @throws ERR_CONFIG_*, ERR_PLUGIN_* where a plugin cannot be loaded
 */
export async function configSchema(options: ConfigOptions, clock: Clock): Promise<SchemaNode> {
  const open = await openConfig(options, clock);
  const list = (open.layers.data['plugins'] ?? []) as { use?: unknown; role?: unknown }[];
  const entries = list.map(({ use, role }, index) => ({
    use,
    role: typeof role === 'string' ? role : undefined,
    at: `plugins[${String(index)}]`,
  }));
  const importMs = open.parsed?.timeouts.importMs ?? 30_000;
  const resolve = { folder: open.folder, resolveFrom: options.resolveFrom ?? [] };
  const { local, problems } = await loadPlugins(entries, { ...resolve, importMs }, clock);
  if (problems.length > 0) throw configError(problems);
  const base = z.toJSONSchema(nodeConfigSchema, { io: 'input' }) as SchemaNode;
  const seen = new Map(local.map((loaded) => [loaded.use, loaded]));
  const sections = [...seen.values()].map(({ use, plugin }) => ({
    if: { properties: { use: { const: use } }, required: ['use'] },
    then: { properties: { with: section(use, plugin.config) } },
  }));
  const plugins = base.properties?.['plugins'] ?? {};
  const items = { ...plugins.items, allOf: sections };
  return {
    ...base,
    title: 'it-chain.config',
    properties: { ...base.properties, plugins: { ...plugins, items } },
  } as unknown as SchemaNode;
}

/** A plugin's section as a part of the document; with an id of its own, so that its `$defs` are looked up in it. */
function section(use: string, schema: z.ZodType | undefined): SchemaNode {
  const node: Record<string, unknown> = { ...inputSchema(schema) };
  delete node['$schema'];
  return '$defs' in node ? { ...node, $id: `it-chain:section:${encodeURIComponent(use)}` } : node;
}

/** Lists and tables stay complete; only secrets are replaced. */
function mask(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => mask(item, name));
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mask(item, key)]));
  }
  return redact(value, name);
}
