import type { ErrorEntry } from './entry.js';

/** Codes of the area: p2p. */
export const p2pErrors = {
  ERR_DIFFERENT_NETWORK: {
    when: 'The other node belongs to another network: both have blocks and their genesis differ.',
    fix: 'Use an empty data directory to join the other network.',
  },
  ERR_NETWORK_UNFOUNDED: {
    when: 'The node belongs to no network yet.',
    fix: 'Join a member, let somebody join this node, or start with --solo.',
  },
  ERR_JOIN_REFUSED: { when: 'The network did not admit the node.', fix: 'Ask the members to admit it.' },
} satisfies Record<string, ErrorEntry>;
