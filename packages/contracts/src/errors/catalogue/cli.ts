import type { ErrorEntry } from './entry.js';

/** Codes of the area: cli. */
export const cliErrors = {
  ERR_CLI_CANNOT_CONNECT: {
    when: 'No node answers at the API address. Exit code 3.',
    fix: 'Start the node, or give --api HOST:PORT.',
  },
  ERR_CLI_USAGE: { when: 'The command line is not understood. Exit code 2.', fix: 'See it-chain help.' },
  ERR_CLI_NOT_FOUND: { when: 'What was asked for does not exist. Exit code 4.', fix: 'Check the id, key or height.' },
  ERR_CLI_TIMEOUT: {
    when: 'What a command waited for did not happen within --timeout. Exit code 1.',
    fix: 'Ask again with `it-chain tx get ID`, or wait longer with --timeout.',
  },
  ERR_CLI_PROOF_INVALID: {
    when: 'A proof or certificate that a node sent does not hold.',
    fix: 'Do not trust this node; ask another one.',
  },
  ERR_CHAIN_FILE_INVALID: {
    when: 'A file of exported blocks is damaged, cut off, or of another version.',
    fix: 'Export the blocks again with `it-chain chain export`.',
  },
  ERR_DEVNET_FAILED: {
    when: 'A node of the devnet ended or did not become ready in time.',
    fix: 'Read its log in the directory of the devnet.',
  },
} satisfies Record<string, ErrorEntry>;
