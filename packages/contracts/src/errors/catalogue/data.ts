import type { ErrorEntry } from './entry.js';

/** Codes of the area: data. */
export const dataErrors = {
  ERR_INTERNAL: {
    when: 'A handler failed in a way nobody foresaw; its detail is in the log of the process that failed.',
    fix: 'Look for the same message id in the log and report it.',
  },
  ERR_DATA_MALFORMED: {
    when: 'Bytes are not the message they should be: cut, of the wrong length, with an unknown field or not in canonical form.',
    fix: 'Send the canonical protobuf form of docs/bus.md.',
  },
  ERR_DATA_INVALID: {
    when: 'A value to be encoded does not fit its field.',
    fix: 'Compare the value with the field of the message in docs/bus.md.',
  },
} satisfies Record<string, ErrorEntry>;
