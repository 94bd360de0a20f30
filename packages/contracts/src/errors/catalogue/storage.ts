import type { ErrorEntry } from './entry.js';

/** Codes of the area: storage. */
export const storageErrors = {
  ERR_STORAGE_CONDITION: {
    when: 'A conditional write found another value than it expected; nothing was written.',
    fix: 'Read again and decide again.',
  },
  ERR_STORAGE_SEQUENCE: {
    when: 'A write came with a lower sequence than its writer has used.',
    fix: 'Two processes write as one writer; stop one.',
  },
  ERR_STORAGE_DAMAGED: {
    when: 'A stored value does not match its checksum, or the store does not match its marker. Exit code 10.',
    fix: 'Restore the directory from a backup, or move it away and join again.',
  },
  ERR_STORAGE_IO: {
    when: 'The disk is full or failing. Exit code 11.',
    fix: 'Free space or replace the disk, then start again.',
  },
  ERR_STORAGE_IN_USE: {
    when: 'Another process holds the data directory. Exit code 14.',
    fix: 'Stop the other process; never delete the LOCK file.',
  },
  ERR_STORAGE_CLOSED: {
    when: 'The store is closed: the node is stopping, or its storage has not started.',
    fix: 'Ask again when the node is up.',
  },
  ERR_STORAGE_BUSY: {
    when: 'More bytes wait to be written than the storage keeps.',
    fix: 'Send it again later; the disk is slower than the load.',
  },
} satisfies Record<string, ErrorEntry>;
