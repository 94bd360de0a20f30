import type { ErrorEntry } from './entry.js';

/** Codes of the area: chain. */
export const chainErrors = {
  ERR_BLOCK_INVALID: {
    when: 'A block breaks a rule of the chain.',
    fix: 'Nothing, if a peer sent it; the message names the rule.',
  },
  ERR_BLOCK_NOT_FOUND: {
    when: 'No block has this height or digest here.',
    fix: 'Compare with the height in `it-chain status`.',
  },
  ERR_CHAIN_DIVERGED: {
    when: 'The state root here differs from the one that the network certified. Exit code 13.',
    fix: 'Stop; compare the versions of the application on all nodes.',
  },
} satisfies Record<string, ErrorEntry>;
