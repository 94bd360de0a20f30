import type { ErrorEntry } from './entry.js';

/** Codes of the area: identity. */
export const identityErrors = {
  ERR_IDENTITY_KEY_PERMISSIONS: { when: 'The key file can be read by others.', fix: 'chmod 600 the file.' },
  ERR_IDENTITY_KEY_DAMAGED: {
    when: 'The key file does not hold an Ed25519 key.',
    fix: 'Restore it from a backup; a new key is a new node.',
  },
  ERR_IDENTITY_DOUBLE_SIGN: {
    when: 'A second, different vote for one height, round and type was asked for; nothing was signed.',
    fix: 'Two processes may be using one data directory, or a backup was restored: see docs/guarantees.md.',
  },
  ERR_IDENTITY_GUARD_DAMAGED: {
    when: 'The file of signed votes cannot be read.',
    fix: 'Do not delete it. Restore it, or start with --accept-double-sign-risk once you know that the key signs nowhere else.',
  },
  ERR_IDENTITY_STALE_VOTE: {
    when: 'A vote for a height or round below what was already signed was asked for; nothing was signed.',
    fix: 'None is needed for a late message; a node that asks again and again has lost its consensus log: let it sync.',
  },
  ERR_IDENTITY_GUARD_FAILED: {
    when: 'A vote could not be written to the guard, so nothing was signed.',
    fix: 'Look for a full or failing disk under the data directory, then start the node again.',
  },
  ERR_IDENTITY_UNREADABLE: {
    when: 'The key file or the guard cannot be opened, read or made.',
    fix: 'Check the data directory: it must exist and belong to the user that runs the node.',
  },
  ERR_IDENTITY_DOMAIN_REFUSED: {
    when: 'identity.sign was asked for the domain vote, or for a name that is no domain.',
    fix: 'Sign votes with identity.signVote; the other domains are listed in docs/bus.md.',
  },
} satisfies Record<string, ErrorEntry>;
