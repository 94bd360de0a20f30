import { fileURLToPath } from 'node:url';
import type { BusNeeds, Clock, Plugin, Role } from '@it-chain/contracts';
import type { Problem } from '../config/problem.js';
import { suggestion } from '../config/suggest.js';
import { readForeignPlugin } from './foreign-manifest.js';
import { importPlugin } from './import-plugin.js';
import type { LoadedPlugin } from './loaded-plugin.js';
import { readManifest } from './manifest.js';
import { resolvePlugin, type ResolveOptions } from './resolve-plugin.js';

/** One entry of the config's list of plugins, as far as loading goes. */
export interface PluginEntry {
  /** A package, a path, or a plugin itself. */
  readonly use: unknown;
  readonly role?: string | undefined;
  /** `plugins[2]`. */
  readonly at: string;
  /** What stands under `with`; a plugin in another process has its settings there. */
  readonly settings?: unknown;
}

/** How plugins are loaded. */
export interface LoadOptions extends ResolveOptions {
  /** Limit of one import, in ms. */
  readonly importMs: number;
  /** Names of roles; entries whose `role:` is none of them are not even imported. */
  readonly only?: readonly string[] | undefined;
}

/** What loading gave. */
export interface LoadResult {
  /** The plugins of this process. */
  readonly local: readonly LoadedPlugin[];
  /** Roles that belong to other processes of the node, by name; `loaded` where the plugin is known. */
  readonly remote: readonly {
    readonly role: string;
    readonly use: string;
    readonly loaded?: LoadedPlugin | undefined;
  }[];
  /** What the plugins in other processes need of the bus. */
  readonly foreign: readonly BusNeeds[];
  readonly problems: readonly Problem[];
}

type Loaded = { readonly loaded: LoadedPlugin } | { readonly problem: Problem };
type Finding = Pick<Problem, 'code' | 'message' | 'hint' | 'cause'>;

/** Imports every plugin of the list, all at once, and settles which role each one plays. Runs no code of theirs but the import. */
export async function loadPlugins(
  entries: readonly PluginEntry[],
  options: LoadOptions,
  clock: Clock,
): Promise<LoadResult> {
  const { only } = options;
  const local: LoadedPlugin[] = [];
  const remote: { role: string; use: string; loaded?: LoadedPlugin }[] = [];
  const foreign: BusNeeds[] = [];
  const problems: Problem[] = [];
  const here: PluginEntry[] = [];
  for (const entry of entries) {
    if (only !== undefined && entry.role !== undefined && !only.includes(entry.role) && !isForeign(entry)) {
      remote.push({ role: entry.role, use: nameOf(entry) });
    } else here.push(entry);
  }
  for (const result of await Promise.all(here.map((entry) => loadOne(entry, options, clock)))) {
    if ('problem' in result) problems.push(result.problem);
    else if (result.loaded.foreign !== undefined) {
      const { loaded } = result;
      foreign.push(result.loaded.foreign);
      const roles = loaded.plays.length === 0 ? [loaded.plugin.name] : loaded.plays.map(({ name }) => name);
      remote.push(...roles.map((role) => ({ role, use: loaded.use, loaded })));
    } else if (only === undefined || only.includes(result.loaded.role ?? result.loaded.plugin.name)) {
      local.push(result.loaded);
    } else
      remote.push({
        role: result.loaded.role ?? result.loaded.plugin.name,
        use: result.loaded.use,
        loaded: result.loaded,
      });
  }
  return { local, remote, foreign, problems };
}

async function loadOne(entry: PluginEntry, options: LoadOptions, clock: Clock): Promise<Loaded> {
  const use = nameOf(entry);
  const problem = (finding: Finding, path = `${entry.at}.use`): Loaded => ({
    problem: { ...finding, path, message: finding.message },
  });
  let exported = entry.use;
  if (typeof entry.use === 'string') {
    const resolution = resolvePlugin(entry.use, options);
    if ('finding' in resolution) return problem(resolution.finding);
    if (resolution.url.endsWith(MANIFEST)) return loadForeign(entry, fileURLToPath(resolution.url), problem);
    const imported = await importPlugin(resolution.url, options.importMs, clock);
    if ('finding' in imported) {
      const { finding } = imported;
      return problem({ ...finding, message: `plugin ${use}: ${finding.message}` });
    }
    exported = imported.exported;
  }
  const manifest = readManifest(exported);
  if ('finding' in manifest) {
    return problem({ ...manifest.finding, message: `${use}: ${manifest.finding.message}` });
  }
  const part = settleRole(manifest.plugin, entry.role);
  if ('finding' in part) return problem(part.finding, entry.role === undefined ? entry.at : `${entry.at}.role`);
  return { loaded: { plugin: manifest.plugin, at: entry.at, use, role: part.role, plays: part.plays } };
}

/** Ending of the file that is the manifest of a plugin in another process. */
const MANIFEST = '.json';

function isForeign({ use }: PluginEntry): boolean {
  return typeof use === 'string' && use.endsWith(MANIFEST);
}

function loadForeign(entry: PluginEntry, file: string, problem: (finding: Finding, path?: string) => Loaded): Loaded {
  const use = nameOf(entry);
  const read = readForeignPlugin(file);
  if ('finding' in read) return problem({ ...read.finding, message: `${use}: ${read.finding.message}` });
  if (entry.settings !== undefined && Object.keys(entry.settings as object).length > 0) {
    const message = `the plugin ${read.foreign.plugin.name} runs in a process of its own and gets no settings from here`;
    return problem({ code: 'ERR_CONFIG_INVALID', message, hint: 'give them to its own program' }, `${entry.at}.with`);
  }
  const { plugin, needs } = read.foreign;
  const part = settleRole(plugin, entry.role ?? plugin.provides[0]?.name);
  if ('finding' in part) return problem(part.finding, `${entry.at}.role`);
  return { loaded: { plugin, at: entry.at, use, role: part.role, plays: plugin.provides, foreign: needs } };
}

function nameOf({ use }: PluginEntry): string {
  if (typeof use === 'string') return use;
  const name = (use as { name?: unknown } | null)?.name;
  return typeof name === 'string' ? name : 'a plugin given as an object';
}

type Part =
  | { readonly role: string | undefined; readonly plays: readonly Role[] }
  | { readonly finding: Pick<Problem, 'code' | 'message' | 'hint'> };

function settleRole(plugin: Plugin, asked: string | undefined): Part {
  const names = [...new Set(plugin.provides.map((role) => role.name))];
  if (asked !== undefined && !names.includes(asked)) {
    return {
      finding: {
        code: 'ERR_PLUGIN_ROLE_UNKNOWN',
        message: `the plugin ${plugin.name} does not provide the role ${asked}`,
        hint: names.length === 0 ? 'it provides none: leave role: out' : suggestion(asked, names),
      },
    };
  }
  if (asked === undefined && names.length > 1) {
    return {
      finding: {
        code: 'ERR_PLUGIN_ROLE_AMBIGUOUS',
        message: `the plugin ${plugin.name} can play several roles: ${names.join(', ')}`,
        hint: `say which: role: ${names[0] ?? ''}`,
      },
    };
  }
  const role = asked ?? names[0];
  return { role, plays: plugin.provides.filter((one) => one.name === role) };
}
