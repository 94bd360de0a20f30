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
} satisfies Record<string, ErrorEntry>;
