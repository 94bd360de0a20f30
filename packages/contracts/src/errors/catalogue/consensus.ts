import type { ErrorEntry } from './entry.js';

/** Codes of the area: consensus. */
export const consensusErrors = {
  ERR_CERTIFICATE_INVALID: {
    when: 'A commit certificate lacks a quorum of valid signatures of the validators of its height.',
    fix: 'Nothing, if a peer sent it: it is asked no more.',
  },
  ERR_SAFETY_VIOLATION: {
    when: 'Two valid certificates for different blocks of one height exist. Exit code 13.',
    fix: 'More than a third of the validators signed twice; see docs/guarantees.md.',
  },
  ERR_CONSENSUS_LOG_DAMAGED: {
    when: 'A record of the consensus log is damaged or missing, so this node no longer knows what it has voted for. Exit code 10.',
    fix: 'Restore the directory from a backup, or move it away and join again; do not delete single records.',
  },
  ERR_CONSENSUS_PEER_MISBEHAVED: {
    when: 'A peer sent invalid signatures, bytes that cannot be read, or blocks with a wrong certificate, again and again; its session was closed.',
    fix: 'Nothing here; on that node compare the version and the network, or find out who runs it.',
  },
  ERR_CONSENSUS_NO_QUORUM: {
    when: 'Fewer validators are connected to this node than a decision needs.',
    fix: 'Bring enough of the missing ones back: `it-chain consensus` names them. Where they are lost for good, see `it-chain recover`.',
  },
  ERR_CONSENSUS_STATE_LOST: {
    when: 'Peers hold votes of this node that it does not remember: an old backup was restored or its log was cut. It does not vote until the others have decided that height.',
    fix: 'Wait. If the network cannot go on without its vote and its key signs nowhere else, set acceptDoubleSignRisk, or start with --accept-double-sign-risk.',
  },
  ERR_CONSENSUS_NOT_SOLO: {
    when: 'The plugin solo, which decides alone, met a network with another validator. The process ends.',
    fix: 'Use a consensus plugin for several validators on every node, such as @it-chain/plugin-consensus.',
  },
} satisfies Record<string, ErrorEntry>;
