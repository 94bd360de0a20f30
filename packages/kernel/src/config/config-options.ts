import type { ConfigFlag, Layers, Section } from './layers.js';
import type { LoadedPlugin } from '../plugins/loaded-plugin.js';
import type { LoadResult } from '../plugins/load-plugins.js';
import type { Places } from './check-section.js';
import type { NodeConfig, ParsedConfig } from './node-config.js';
import type { Problem } from './problem.js';

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
  /** What the plugins in other processes of this node, in any language, need of the bus. */
  readonly foreign: LoadResult['foreign'];
  /** True where this process holds the node's key. */
  readonly holdsKey: boolean;
  readonly warnings: readonly string[];
  readonly layers: Layers;
  readonly sections: readonly Section[];
}
