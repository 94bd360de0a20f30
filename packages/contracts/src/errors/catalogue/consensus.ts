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
} satisfies Record<string, ErrorEntry>;
