/**
 * The protocol between nodes: the gRPC service `itchain.peer.v1.Peer`.
 *
 * One connection (TLS 1.3, or plaintext on loopback) carries one session: the dialer opens `Control` and `Bulk` at once.
 * Every gRPC message is one {@link PeerFrame} without compression, at most {@link PEER_MAX_FRAME_BYTES} long.
 *
 * Handshake, on `Control`:
 * 1. both send `challenge` at once. A side that sees another `version` says goodbye with ERR_PEER_VERSION; a side that
 *    sees its own key says goodbye with ERR_PEER_SELF.
 * 2. both send `proof`: the signature of the domain `handshake` with the network NO_NETWORK (32 zero bytes) over their
 *    {@link PeerProofContent}, and their hello. `binding` is the TLS exporter (RFC 8446 section 7.5, as RFC 9266 uses it)
 *    with the label {@link PEER_BINDING_LABEL}, no context, 32 bytes; empty in plaintext, where a relay on the same
 *    machine cannot be told from the peer.
 * 3. the node with the lower id (as text) decides: it sends `admit`, and the session is open, or `goodbye` with
 *    ERR_PEER_DUPLICATE where a session of the pair is open already and answers a ping. The other one follows.
 *
 * A session: `ping` is answered by `pong` on `Control`. A message is a `start` and as many `more` as its size needs, in
 * order, on the lane its sender chose; requests and responses go over `Bulk`. `goodbye` ends the session.
 */
import { bytes, choice, message, nested, optional, string, uint32, uint64, type Infer } from '../schema/index.js';
import { defineService, method } from '../api/service.js';

/** The version of the protocol between nodes; both ends must speak the same. */
export const PEER_PROTOCOL_VERSION = 1;
/** Longest piece of a message in one frame, in bytes: so that no lane is ever held by one long message. */
export const PEER_CHUNK_BYTES = 64 * 1024;
/** Longest frame that is accepted, in bytes: a proof with its hello is the longest. */
export const PEER_MAX_FRAME_BYTES = 256 * 1024;
/** Label of the TLS exporter that binds a handshake to its connection. */
export const PEER_BINDING_LABEL = 'EXPORTER-it-chain-peer-1';

/** First frame of both sides. Fields 1 to 3 stay as they are in every version. */
export const PeerChallenge = message('PeerChallenge', {
  version: uint32(1),
  /** Ed25519, 32 bytes. */
  publicKey: bytes(2, { length: 32 }),
  /** 32 fresh random bytes. */
  challenge: bytes(3, { length: 32 }),
});
export type PeerChallenge = Infer<typeof PeerChallenge>;

/** What a proof signs. Canonical. */
export const PeerProofContent = message('PeerProofContent', {
  version: uint32(1),
  /** The end that signs. */
  role: choice(2, 'PeerEnd', ['dialer', 'listener']),
  dialerKey: bytes(3, { length: 32 }),
  listenerKey: bytes(4, { length: 32 }),
  dialerChallenge: bytes(5, { length: 32 }),
  listenerChallenge: bytes(6, { length: 32 }),
  security: choice(7, 'PeerSecurity', ['plain', 'tls']),
  /** 32 bytes with TLS, else empty. */
  binding: bytes(8, { maxLength: 32 }),
  /** SHA-256 of the hello of the end that signs. */
  helloDigest: bytes(9, { length: 32 }),
});
export type PeerProofContent = Infer<typeof PeerProofContent>;

/** Second frame of both sides. */
export const PeerProof = message('PeerProof', {
  /** Ed25519, 64 bytes. */
  signature: bytes(1, { length: 64 }),
  /** An encoded `Hello`. */
  hello: bytes(2, { maxLength: 200_000 }),
});
export type PeerProof = Infer<typeof PeerProof>;

/** The session is open. */
export const PeerAdmit = message('PeerAdmit', {});
/** The last frame of a session, or of a handshake that failed. */
export const PeerGoodbye = message('PeerGoodbye', {
  code: string(1, { maxLength: 64 }),
  reason: string(2, { maxLength: 512 }),
});
export type PeerGoodbye = Infer<typeof PeerGoodbye>;
/** Asks for, or is, a sign of life. */
export const PeerPing = message('PeerPing', { nonce: uint64(1) });

/** The beginning of a message, which may be all of it. */
export const PeerStart = message('PeerStart', {
  type: choice(1, 'PeerMessageType', ['message', 'request', 'response']),
  /** What a message or request is about, such as `consensus`. */
  kind: string(2, { maxLength: 32 }),
  /** Pairs a response with its request; unique among the open requests of the asking side. 0 for messages. */
  id: uint32(3),
  /** Length of the whole body, in bytes. */
  size: uint32(4),
  /** Request: how long the asking side still waits, in ms. */
  timeoutMs: uint32(5),
  /** Response: empty, or why there is no body. */
  errorCode: string(6, { maxLength: 64 }),
  errorMessage: string(7, { maxLength: 1_024 }),
  /** The first {@link PEER_CHUNK_BYTES} of the body. */
  data: bytes(8, { maxLength: PEER_CHUNK_BYTES }),
});
export type PeerStart = Infer<typeof PeerStart>;
/** The next {@link PEER_CHUNK_BYTES} of the body of the message that was started last on this lane. */
export const PeerMore = message('PeerMore', { data: bytes(1, { maxLength: PEER_CHUNK_BYTES }) });

/** Every message of both streams. */
export const PeerFrame = message('PeerFrame', {
  challenge: optional(nested(1, PeerChallenge), 'content'),
  proof: optional(nested(2, PeerProof), 'content'),
  admit: optional(nested(3, PeerAdmit), 'content'),
  goodbye: optional(nested(4, PeerGoodbye), 'content'),
  ping: optional(nested(5, PeerPing), 'content'),
  pong: optional(nested(6, PeerPing), 'content'),
  start: optional(nested(7, PeerStart), 'content'),
  more: optional(nested(8, PeerMore), 'content'),
});
export type PeerFrame = Infer<typeof PeerFrame>;

/** The service between nodes, `itchain.peer.v1.Peer`. */
export const PeerService = defineService('itchain.peer.v1', 'Peer', {
  control: method({
    doc: 'Handshake, signs of life, votes and proposals.',
    in: PeerFrame,
    out: PeerFrame,
    requestStream: true,
    responseStream: true,
  }),
  bulk: method({
    doc: 'Transactions, blocks, snapshots, requests and responses.',
    in: PeerFrame,
    out: PeerFrame,
    requestStream: true,
    responseStream: true,
  }),
});
