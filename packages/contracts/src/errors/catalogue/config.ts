import type { ErrorEntry } from './entry.js';

/** Codes of the area: config. */
export const configErrors = {
  ERR_CONFIG_NOT_FOUND: { when: 'The config file named by --config does not exist.', fix: 'Check the path.' },
} satisfies Record<string, ErrorEntry>;
