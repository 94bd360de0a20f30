import { busNeedsOf, Identity, catalogue, roleAddress, type BusNeeds, type Clock } from '@it-chain/contracts';
import { checkConfig } from '../config/config-document.js';
import type { ConfigOptions } from '../config/config-options.js';
import { entriesOf, loadOptions, openConfig } from '../config/load-config.js';
import type { Problem } from '../config/problem.js';
import { loadPlugins } from './load-plugins.js';
import { copySeenFrom, packageOf, type InstalledPackage } from './plugin-package.js';
import { resolvePlugin } from './resolve-plugin.js';

/** One entry of a config's list of plugins. */
export interface InspectedPlugin {
  /** `plugins[2]` */
  readonly at: string;
  readonly use: string;
  /** The plugin's own name; absent where it could not be loaded. */
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  /** The role that it plays; absent for a plugin that only listens. */
  readonly role?: string | undefined;
  readonly requires: readonly string[];
  readonly uses: readonly string[];
  /** What it needs of the bus; absent where it could not be loaded. */
  readonly needs?: BusNeeds | undefined;
  /** The package that its module belongs to. */
  readonly package?: InstalledPackage | undefined;
  /** The copies of contracts and kernel that it would import. */
  readonly contracts?: InstalledPackage | undefined;
  readonly kernel?: InstalledPackage | undefined;
}

/** What a config says about plugins, whether or not a node could start with it. */
export interface PluginInspection {
  /** The config file, absolute; absent where the defaults hold. */
  readonly file?: string | undefined;
  readonly plugins: readonly InspectedPlugin[];
  /** Everything that would keep a node from starting. */
  readonly problems: readonly Problem[];
  /** Roles of the framework that no plugin of the list plays. */
  readonly unplayed: readonly string[];
  /** The copies that the node itself runs on. */
  readonly own: { readonly contracts?: InstalledPackage | undefined; readonly kernel?: InstalledPackage | undefined };
}

const CONTRACTS = '@it-chain/contracts';
const KERNEL = '@it-chain/kernel';

/** Loads every plugin of the config by itself and looks where it comes from. Opens and writes nothing. @throws ERR_CONFIG_* where the file cannot be read */
export async function inspectPlugins(options: ConfigOptions, clock: Clock): Promise<PluginInspection> {
  const open = await openConfig(options, clock);
  const load = loadOptions(open);
  const plugins: InspectedPlugin[] = [];
  for (const entry of entriesOf(open.layers.data)) {
    const { local, remote } = await loadPlugins([entry], { ...load, only: undefined }, clock);
    const found = typeof entry.use === 'string' ? resolvePlugin(entry.use, load) : undefined;
    const url = found !== undefined && 'url' in found ? found.url : undefined;
    const loaded = local[0] ?? remote[0]?.loaded;
    plugins.push({
      at: entry.at,
      use: loaded?.use ?? String(entry.use),
      name: loaded?.plugin.name,
      version: loaded?.plugin.version,
      role: loaded?.role,
      requires: loaded?.plugin.requires.map(roleAddress) ?? [],
      uses: loaded?.plugin.uses.map(roleAddress) ?? [],
      needs:
        loaded === undefined ? undefined : (loaded.foreign ?? busNeedsOf({ ...loaded.plugin, provides: loaded.plays })),
      ...(url === undefined
        ? {}
        : { package: packageOf(url), contracts: copySeenFrom(CONTRACTS, url), kernel: copySeenFrom(KERNEL, url) }),
    });
  }
  const played = plugins.map(({ role }) => role);
  return {
    file: open.file,
    plugins,
    problems: await checkConfig(options, clock),
    unplayed: catalogue.map(({ name }) => name).filter((name) => name !== Identity.name && !played.includes(name)),
    own: { contracts: copySeenFrom(CONTRACTS, import.meta.url), kernel: packageOf(import.meta.url) },
  };
}
