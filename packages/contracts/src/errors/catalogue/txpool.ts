import type { ErrorEntry } from './entry.js';

/** Codes of the area: txpool. */
export const txpoolErrors = {
  ERR_TXPOOL_FULL: { when: 'The pool holds as many transactions or bytes as it may.', fix: 'Send it again later.' },
  ERR_TXPOOL_SENDER_LIMIT: {
    when: 'One sender has as many waiting transactions as it may.',
    fix: 'Wait until some are committed.',
  },
  ERR_TX_MALFORMED: {
    when: 'A transaction is not in canonical form, or a field is wrong.',
    fix: 'Build it with the client library or as docs/bus.md says.',
  },
  ERR_TX_SIGNATURE: {
    when: 'The signature of a transaction is not valid.',
    fix: 'Sign over the domain tag, the network and all other fields.',
  },
  ERR_TX_TOO_LARGE: { when: 'A transaction is larger than the network allows.', fix: 'Split it.' },
  ERR_TX_EXPIRED: {
    when: 'The chain has passed the height until which the transaction was valid.',
    fix: 'Sign it anew with a later expiresAt.',
  },
  ERR_TX_EXPIRY_TOO_FAR: {
    when: 'expiresAt lies further ahead than the window of the network.',
    fix: 'Use a height within the window.',
  },
  ERR_TX_DIFFERENT_NETWORK: {
    when: 'The transaction was signed for another network.',
    fix: 'Sign it for the network in `it-chain status`.',
  },
  ERR_TX_REFUSED: { when: 'The application refuses the transaction.', fix: 'Read the reason that comes with it.' },
} satisfies Record<string, ErrorEntry>;
