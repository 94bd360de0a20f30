import {
  bool,
  bytes,
  choice,
  message,
  nested,
  optional,
  repeated,
  string,
  uint32,
  uint64,
  type Infer,
} from '../schema/index.js';
import { command, defineRole, event, query, transient, type Served } from '../plugin/role.js';
import { Nothing } from './common.js';

/** What a node says of itself when a session opens; p2p gives it to the gateway beforehand, so that a handshake never waits. */
export const Hello = message('Hello', {
  /** Digest of the genesis, or absent before founding. */
  network: optional(bytes(1, { length: 32 })),
  /** The genesis itself, encoded, when founded. */
  genesis: bytes(2, { maxLength: 65_536 }),
  /** Height of the last committed block. */
  height: uint64(3),
  name: string(4, { maxLength: 64 }),
  /** `host:port` where the node may be dialled. */
  addresses: repeated(string(5, { maxLength: 255 }), { maxItems: 8 }),
  /** The candidate genesis of an unfounded node, encoded. */
  candidate: bytes(6, { maxLength: 65_536 }),
  /** Public key of the leader it knows, or empty. */
  leader: bytes(7, { maxLength: 32 }),
});
export type Hello = Infer<typeof Hello>;

/** Whom to open a session to. */
export const DialRequest = message('DialRequest', {
  /** `[NODEID@]HOST:PORT`; with an id it is pinned. */
  address: string(1, { maxLength: 512 }),
});
/** A node by its node id. */
export const PeerRef = message('PeerRef', { nodeId: string(1, { maxLength: 64 }) });
/** Which session to end, and the code and reason that the peer is told. */
export const DisconnectRequest = message('DisconnectRequest', {
  nodeId: string(1, { maxLength: 64 }),
  code: string(2, { maxLength: 64 }),
  reason: string(3, { maxLength: 512 }),
});

/** A message for peers, sent once and not acknowledged by them. */
export const Deliver = message('Deliver', {
  /** Node ids; empty = every connected peer. */
  peers: repeated(string(1, { maxLength: 64 }), { maxItems: 1_000 }),
  /** What it is, such as `consensus`; the receiver gets it as `message.received` with this kind. */
  kind: string(2, { maxLength: 32 }),
  body: bytes(3),
  /** `control` for votes and proposals, `bulk` for all that is large and may wait. */
  lane: choice(4, 'Lane', ['control', 'bulk']),
});
/** How many peers it was handed to; those without a session or over their budget are not counted. */
export const Delivered = message('Delivered', { peers: uint32(1) });

/** A question to one peer (node id). `kind` says which plugin over there answers. */
export const FetchRequest = message('FetchRequest', {
  peer: string(1, { maxLength: 64 }),
  kind: string(2, { maxLength: 32 }),
  body: bytes(3),
});
/** The answer of the peer, in the form of the kind that was asked. */
export const FetchAnswer = message('FetchAnswer', { body: bytes(1) });
/** The answer to one `peer.asked`: a body, or the code of an error. */
export const AnswerRequest = message('AnswerRequest', {
  /** From `peer.asked`. */
  requestId: string(1, { maxLength: 64 }),
  body: bytes(2),
  /** Empty, or the code of an error, which crosses to the asking peer. */
  errorCode: string(3, { maxLength: 64 }),
  errorMessage: string(4, { maxLength: 1_024 }),
});

/** A session as the gateway sees it. */
export const Session = message('Session', {
  nodeId: string(1, { maxLength: 64 }),
  publicKey: bytes(2, { length: 32 }),
  /** `host:port` of the other end, as dialled or as seen. */
  address: string(3, { maxLength: 255 }),
  direction: choice(4, 'Direction', ['inbound', 'outbound']),
  /** ms since the epoch. */
  since: uint64(5),
  hello: nested(6, Hello),
});
export type Session = Infer<typeof Session>;
/** Every open session, one per peer. */
export const Sessions = message('Sessions', { sessions: repeated(nested(1, Session)) });

/** Whose session ended, and why: the code that either side gave. */
export const PeerGone = message('PeerGone', {
  nodeId: string(1, { maxLength: 64 }),
  code: string(2, { maxLength: 64 }),
  reason: string(3, { maxLength: 512 }),
});
/** A message of a peer whose identity the session has proved. */
export const PeerMessage = message('PeerMessage', {
  from: string(1, { maxLength: 64 }),
  publicKey: bytes(2, { length: 32 }),
  kind: string(3, { maxLength: 32 }),
  body: bytes(4),
});
export type PeerMessage = Infer<typeof PeerMessage>;
/** A question of a peer. Answer it with its `requestId` by `peer.answer`; the peer waits 15 s. */
export const PeerAsked = message('PeerAsked', {
  from: string(1, { maxLength: 64 }),
  publicKey: bytes(2, { length: 32 }),
  requestId: string(3, { maxLength: 64 }),
  kind: string(4, { maxLength: 32 }),
  body: bytes(5),
});
export type PeerAsked = Infer<typeof PeerAsked>;
/** The hello that opens all coming sessions. */
export const HelloSet = message('HelloSet', { hello: nested(1, Hello) });
/** Where this node can be reached by peers. */
export const TransportStatus = message('TransportStatus', {
  /** Where peers are accepted, as bound: `host:port`. */
  listening: string(1, { maxLength: 255 }),
  /** What is told to peers as the address to dial. */
  advertised: string(2, { maxLength: 255 }),
  insecure: bool(3),
});

/** Kinds of peer messages and requests that the framework's own plugins use. Others may add theirs. */
export const PEER_KINDS = {
  /** Votes, proposals, round changes, decided blocks, status: `plugin-consensus`. */
  consensus: 'consensus',
  /** A new hello, when the network of a node has changed while the session is open. `plugin-p2p`. */
  hello: 'hello',
  /** Signed node records: `plugin-p2p`. */
  record: 'record',
  /** Request: please admit me. Answered by p2p. */
  join: 'join',
  /** Request: a batch of pooled transactions; answered with what was accepted. `plugin-txpool`. */
  transactions: 'transactions',
  /** Request: certified blocks of a range of heights. Answered by `plugin-chain`. */
  blocks: 'blocks',
  /** Request: the snapshot that is offered, its pages, or the transaction lists it needs. Answered by `plugin-chain`. */
  snapshot: 'snapshot',
} as const;

/** Authenticated sessions to other nodes. */
export const Transport = defineRole('transport', 1, {
  doc: 'One authenticated session per pair of nodes, with a control and a bulk lane.',
  promises: [
    'T1: whoever is connected has proved that it holds the key of its node id',
    'T2: there is one session per pair, also after both dialled at once',
    'T3: messages of one lane arrive in their order or the session ends',
    'T4: a slow peer costs at most its send budget and never delays another peer',
    'T5: a dial of the node itself is refused with ERR_PEER_SELF, of another id than the pinned one with ERR_PEER_WRONG_ID',
    'T6: a fetch is answered by the plugin of the other node that answers its kind, or fails with a code',
  ],
  calls: {
    announce: command({
      name: 'peer.announce',
      doc: 'Sets the hello of all coming sessions.',
      in: HelloSet,
      out: Nothing,
    }),
    dial: command({
      name: 'peer.dial',
      doc: 'Opens a session, or finds the one that is open. The answer carries the hello of the other node.',
      in: DialRequest,
      out: Session,
      timeoutMs: 15_000,
    }),
    disconnect: command({
      name: 'peer.disconnect',
      doc: 'Ends a session and tells the peer why. The peer is not redialled by the gateway.',
      in: DisconnectRequest,
      out: Nothing,
    }),
    deliver: command({
      name: 'message.deliver',
      doc: 'Hands a message to peers. Answered when it is in their send buffers.',
      in: Deliver,
      out: Delivered,
    }),
    fetch: query({
      name: 'peer.fetch',
      doc: 'Asks a peer and waits for its answer, over the bulk lane.',
      in: FetchRequest,
      out: FetchAnswer,
      timeoutMs: 15_000,
    }),
    answer: command({
      name: 'peer.answer',
      doc: 'Answers what `peer.asked` brought.',
      in: AnswerRequest,
      out: Nothing,
    }),
    sessions: query({ name: 'peer.sessions', doc: 'The sessions that are open.', in: Nothing, out: Sessions }),
    status: query({
      name: 'peer.status',
      doc: 'Where this node listens and what it advertises.',
      in: Nothing,
      out: TransportStatus,
    }),
  },
  events: {
    connected: event({ name: 'peer.connected', doc: 'A session is open.', body: Session }),
    disconnected: event({ name: 'peer.disconnected', doc: 'A session is gone.', body: PeerGone }),
    received: transient({
      name: 'message.received',
      doc: 'A message of a peer; listen and look at its kind.',
      body: PeerMessage,
      maxQueued: 4_000,
    }),
    asked: transient({
      name: 'peer.asked',
      doc: 'A request of a peer; answer its kind with `peer.answer`.',
      body: PeerAsked,
      maxQueued: 1_000,
    }),
  },
});
export type Transport = Served<typeof Transport>;
