import type { ErrorEntry } from './entry.js';

/** Codes of the area: plugin. */
export const pluginErrors = {
  ERR_PLUGIN_NOT_FOUND: {
    when: 'A plugin named in the config is not installed or not at its path.',
    fix: 'Install it beside the config file, or correct its name.',
  },
} satisfies Record<string, ErrorEntry>;
