import type { ErrorEntry } from './entry.js';

/** Codes of the area: p2p. */
export const p2pErrors = {
  ERR_DIFFERENT_NETWORK: {
    when: 'The other node belongs to another network: both have blocks and their genesis differ.',
    fix: 'Use an empty data directory to join the other network.',
  },
  ERR_NETWORK_RECOVERED: {
    when: 'A member has let the network go on in a new one, because its quorum was lost for good; one of two nodes has not followed. Exit code 5.',
    fix: 'Stop the node that is left behind and follow with `it-chain recover --from HOST:PORT --yes`, or move its data aside and join again.',
  },
  ERR_NETWORK_UNFOUNDED: {
    when: 'The node belongs to no network yet.',
    fix: 'Join a member, let somebody join this node, or start with --solo.',
  },
  ERR_JOIN_REFUSED: {
    when: 'The network did not admit the node.',
    fix: 'Ask the operators of validators to admit it: `it-chain members propose admit NODEID`.',
  },
  ERR_NETWORK_PINNED: {
    when: 'A peer belongs to another network than the one that the config of p2p pins.',
    fix: 'Dial a member of the pinned network, or correct `network` in the config.',
  },
  ERR_JOIN_NO_SPONSOR: {
    when: 'The dialled node is no validator and is connected to none that could admit the joiner.',
    fix: 'Try again, or dial another member.',
  },
} satisfies Record<string, ErrorEntry>;
