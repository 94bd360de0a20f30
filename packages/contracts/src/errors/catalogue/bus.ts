import type { ErrorEntry } from './entry.js';

/** Codes of the area: bus. */
export const busErrors = {
  ERR_BUS_NO_PROVIDER: {
    when: 'A request was sent for a role that no process serves now.',
    fix: 'Start the plugin that provides the role; `it-chain status` shows which are there.',
  },
  ERR_BUS_PROVIDER_LOST: {
    when: 'The provider went away while the request was with it: the outcome is unknown.',
    fix: 'Ask for the outcome, or send the request again if it is idempotent.',
  },
  ERR_BUS_TIMEOUT: {
    when: 'No answer came within the deadline.',
    fix: 'Look at the load of the provider, or raise the timeout of the call.',
  },
  ERR_BUS_CLOSED: {
    when: 'The bus was closed or lost while the call was under way.',
    fix: 'Wait until the bus is connected again.',
  },
  ERR_BUS_ABORTED: {
    when: 'The caller gave a request up: its signal aborted. The provider may still carry it out.',
    fix: 'None; it is what the caller asked for.',
  },
  ERR_BUS_UNREACHABLE: {
    when: 'The broker of bus.url cannot be reached, or refused the connection.',
    fix: 'Check bus.url, that the broker runs, and the user and password.',
  },
  ERR_BUS_FULL: {
    when: 'A bounded queue of the bus is full.',
    fix: 'Wait; if it lasts, look for the consumer that does not keep up.',
  },
  ERR_BUS_MESSAGE_TOO_LARGE: { when: 'A message is larger than the bus carries.', fix: 'Send it in parts.' },
  ERR_ROLE_TAKEN: {
    when: 'A second provider asked to serve a role that is already served on this bus.',
    fix: 'Stop the other process, or give this node another namespace.',
  },
  ERR_ROLE_UNKNOWN_CALL: {
    when: 'A request names a call that the role does not have.',
    fix: 'Compare the versions of caller and provider.',
  },
} satisfies Record<string, ErrorEntry>;
