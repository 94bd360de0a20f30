import type { ErrorEntry } from './entry.js';

/** Codes of the area: application. */
export const applicationErrors = {
  ERR_KV_MALFORMED: {
    when: 'The payload is not an operation of the key-value application.',
    fix: 'Use `it-chain kv` or the client.',
  },
  ERR_KV_CONFLICT: { when: 'A compare-and-set found another value.', fix: 'Read again and decide again.' },
  ERR_KV_STALE_ROOT: {
    when: 'The state was asked for at a root that is not, or no longer, the root of the committed state.',
    fix: 'Ask again at the root of the new tip.',
  },
  ERR_APPLICATION_STALE_ROOT: {
    when: 'An application was asked about its state at a root that is not, or no longer, the root of the committed state.',
    fix: 'Ask again at the root of the new tip.',
  },
} satisfies Record<string, ErrorEntry>;
