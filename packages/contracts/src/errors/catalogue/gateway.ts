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
  ERR_PEER_DISCONNECTED: {
    when: 'An operator ended the session; the peer is not dialled again by itself.',
    fix: 'Dial it when it is wanted again.',
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
  ERR_API_UNAUTHENTICATED: {
    when: 'An admin call of the client API came from another host without the token of the node.',
    fix: 'Send the content of api.token in the data directory as `authorization: Bearer <token>`, or call from the same host.',
  },
  ERR_API_BUSY: {
    when: 'As many calls or streams of the client API are open as may be.',
    fix: 'Try again later, or raise api.maxInFlight or api.maxStreams.',
  },
  ERR_API_SLOW_SUBSCRIBER: {
    when: 'A follower of blocks or events did not read what was sent to it.',
    fix: 'Read faster and follow again from the last height that was read.',
  },
  ERR_API_UNKNOWN_EVENT: {
    when: 'A client wants to follow an event that this node does not have. Exit code 2.',
    fix: 'Leave the names out to follow all, or take them from docs/bus.md.',
  },
  ERR_API_STOPPING: { when: 'The node is stopping and takes no more calls.', fix: 'Ask another node.' },
  ERR_API_INSECURE: {
    when: 'The client API is to listen beyond loopback without TLS.',
    fix: 'Give api.tls a certificate and a key, or set api.insecure: true on a network that you trust.',
  },
  ERR_API_LISTEN: {
    when: 'The client API cannot listen at its address, or its certificate cannot be read.',
    fix: 'Choose another address in api.listen, or stop the process that holds it.',
  },
  ERR_PEER_PROTOCOL: {
    when: 'A peer sent bytes that are not the peer protocol.',
    fix: 'Check that a node answers at that address; a peer that repeats it is banned for a while.',
  },
  ERR_PEER_TOO_LARGE: {
    when: 'A message to or of a peer is longer than peers.limits.messageBytes.',
    fix: 'Send it in parts.',
  },
  ERR_PEER_BANNED: {
    when: 'The peer broke the protocol too often in a short time and is not spoken to for a while.',
    fix: 'Look for the reason in the log of the refusing node; the ban ends by itself.',
  },
  ERR_PEER_LIMIT: {
    when: 'The node has as many sessions as its limits allow.',
    fix: 'Dial another member, or raise peers.limits.inbound or peers.limits.outbound.',
  },
  ERR_PEER_INSECURE: {
    when: 'A peer that is not on loopback tried to connect without TLS.',
    fix: 'Remove peers.insecure from the config of that node, or set it on both.',
  },
  ERR_PEER_DUPLICATE: {
    when: 'A connection was given up because the same two nodes have a session already.',
    fix: 'Nothing: the session that is open is used.',
  },
  ERR_PEER_REPLACED: {
    when: 'A session was given up for a newer one of the same peer.',
    fix: 'Nothing: the newer session is used.',
  },
  ERR_PEER_LOST: {
    when: 'The connection to a peer ended without a goodbye.',
    fix: 'Nothing: p2p dials it again. If it lasts, check the network and the other node.',
  },
  ERR_PEER_STOPPING: { when: 'The node is stopping.', fix: 'Wait until it is back.' },
  ERR_PEER_ADDRESS: {
    when: 'An address of a peer cannot be read. Exit code 2.',
    fix: 'Write [NODEID@]HOST:PORT.',
  },
  ERR_GATEWAY_LISTEN: {
    when: 'The gateway cannot listen at the configured address.',
    fix: 'Choose another address or port, or stop the process that uses it.',
  },
} satisfies Record<string, ErrorEntry>;
