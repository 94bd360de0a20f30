import { dataErrors } from './data.js';
import { busErrors } from './bus.js';
import { configErrors } from './config.js';
import { pluginErrors } from './plugin.js';
import { identityErrors } from './identity.js';
import { storageErrors } from './storage.js';
import { gatewayErrors } from './gateway.js';
import { p2pErrors } from './p2p.js';
import { txpoolErrors } from './txpool.js';
import { chainErrors } from './chain.js';
import { consensusErrors } from './consensus.js';
import { applicationErrors } from './application.js';
import { cliErrors } from './cli.js';
import type { ErrorEntry } from './entry.js';

/** Every error code of the framework. docs/errors.md is generated from it. */
export const errorCatalogue = {
  ...dataErrors,
  ...busErrors,
  ...configErrors,
  ...pluginErrors,
  ...identityErrors,
  ...storageErrors,
  ...gatewayErrors,
  ...p2pErrors,
  ...txpoolErrors,
  ...chainErrors,
  ...consensusErrors,
  ...applicationErrors,
  ...cliErrors,
} satisfies Record<string, ErrorEntry>;

/** A code of the framework. Third-party plugins bring codes with a prefix of their own. */
export type ErrorCode = keyof typeof errorCatalogue;
