import type { ErrorEntry } from './entry.js';

/** Codes of the area: cli. */
export const cliErrors = {
  ERR_CLI_CANNOT_CONNECT: {
    when: 'No node answers at the API address. Exit code 3.',
    fix: 'Start the node, or give --api HOST:PORT.',
  },
  ERR_CLI_USAGE: { when: 'The command line is not understood. Exit code 2.', fix: 'See it-chain help.' },
  ERR_CLI_NOT_FOUND: { when: 'What was asked for does not exist. Exit code 4.', fix: 'Check the id, key or height.' },
} satisfies Record<string, ErrorEntry>;
