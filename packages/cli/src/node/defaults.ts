import { fileURLToPath } from 'node:url';
import { packageVersion } from '@it-chain/contracts';
import type { ConfigFlag, ConfigOptions } from '@it-chain/kernel';
import type { Io } from '../terminal/io.js';

/** The plugins of a node whose config names none. */
export const DEFAULT_PLUGINS = ['gateway', 'p2p', 'leveldb', 'txpool', 'chain', 'consensus', 'kv'].map((name) => ({
  use: `@it-chain/plugin-${name}`,
}));

/** Where the client API is when nothing else says. */
export const DEFAULT_API = '127.0.0.1:7001';

/** Variables of the command itself: no settings of a node. */
export const CLI_VARIABLES = ['IT_CHAIN_API', 'IT_CHAIN_TOKEN'] as const;

/** The version of this package. */
export function version(): string {
  return packageVersion(import.meta.url);
}

/** Where the kernel finds the config and the plugins: beside the config, else those of this package. */
export function configOptions(
  io: Io,
  options: {
    readonly config?: string | undefined;
    readonly only?: readonly string[] | undefined;
    readonly flags?: readonly ConfigFlag[] | undefined;
  } = {},
): ConfigOptions {
  return {
    cwd: io.cwd,
    file: options.config,
    env: io.env,
    flags: options.flags,
    defaults: { plugins: DEFAULT_PLUGINS },
    resolveFrom: [fileURLToPath(import.meta.url)],
    only: options.only,
    otherVariables: CLI_VARIABLES,
  };
}
