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
  ERR_CHAIN_GAP: {
    when: 'A block was to be committed whose parent is not the tip of this node.',
    fix: 'Fetch the blocks in between first.',
  },
  ERR_SNAPSHOT_INVALID: {
    when: 'A snapshot does not follow from the genesis, or its pages do not come to the root that the network certified.',
    fix: 'Nothing, if a peer sent it: another one is asked, or all blocks are replayed.',
  },
  ERR_RECOVERY_REFUSED: {
    when: 'A network was not recovered: the genesis does not go on from the chain of this node, or not by a member of it. Exit code 5.',
    fix: 'The message says what does not fit; see docs/recovery.md.',
  },
  ERR_CHAIN_APPLICATION: {
    when: 'The application of this node is not the one that the genesis of its network names, or its answer to a block cannot be right.',
    fix: 'Configure the application that the message names, or use an empty data directory for another network; mend an application that answers too few receipts, or another root without writes.',
  },
} satisfies Record<string, ErrorEntry>;
