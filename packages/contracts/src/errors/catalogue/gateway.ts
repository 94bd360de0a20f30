import type { ErrorEntry } from './entry.js';

/** Codes of the area: gateway. */
export const gatewayErrors = {
  ERR_PEER_UNREACHABLE: { when: 'A peer could not be dialled.', fix: 'Check the address and that the peer listens.' },
  ERR_PEER_NOT_CONNECTED: {
    when: 'A message was for a peer without a session.',
    fix: 'Dial it, or wait for the redial.',
  },
  ERR_PEER_TIMEOUT: { when: 'A peer did not answer in time.', fix: 'Try again or ask another peer.' },
  ERR_PEER_WRONG_ID: {
    when: 'The dialled address answered with another node id than the pinned one.',
    fix: 'Check the address; somebody else may be answering there.',
  },
  ERR_PEER_SELF: { when: 'The dialled address is this node itself.', fix: 'Dial another member.' },
  ERR_PEER_VERSION: { when: 'The peer speaks another protocol version.', fix: 'Upgrade the older of the two nodes.' },
  ERR_PEER_HANDSHAKE: {
    when: 'The peer could not prove that it holds its key.',
    fix: 'Nothing, if it is a stranger; otherwise check its key file.',
  },
  ERR_PEER_BUSY: { when: 'The send budget of a peer is used up.', fix: 'Wait until it has caught up.' },
  ERR_PEER_NO_ANSWER: {
    when: 'The peer has no plugin that answers this kind of request.',
    fix: 'Compare the plugins of the two nodes.',
  },
} satisfies Record<string, ErrorEntry>;
