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
import { command, defineRole, event, query, type Served } from '../plugin/role.js';
import { Nothing } from './common.js';
import { DialRequest } from './transport.js';

/** Roles of a member as others see it. `unfounded`: belongs to no network yet; `observer`: a node of the network that is no member. */
export const MEMBER_ROLES = ['unfounded', 'observer', 'learner', 'validator'] as const;
/** One of {@link MEMBER_ROLES}. */
export type MemberRole = (typeof MEMBER_ROLES)[number];

/** A row of the peer table. */
export const Peer = message('Peer', {
  nodeId: string(1, { maxLength: 64 }),
  publicKey: bytes(2, { length: 32 }),
  name: string(3, { maxLength: 64 }),
  /** `host:port`, or empty where none is known. */
  address: string(4, { maxLength: 255 }),
  self: bool(5),
  connected: bool(6),
  direction: choice(7, 'PeerDirection', ['none', 'inbound', 'outbound']),
  /** ms since the epoch: when the session opened, or when the peer was last seen. */
  since: uint64(8),
});
export type Peer = Infer<typeof Peer>;
/** The peer table, this node first. */
export const Peers = message('Peers', { peers: repeated(nested(1, Peer)) });

/** The leader repository: absent leader = none yet. */
export const Leader = message('Leader', {
  publicKey: optional(bytes(1, { length: 32 })),
  nodeId: string(2, { maxLength: 64 }),
  /** The height that is open. */
  height: uint64(3),
  round: uint32(4),
});
export type Leader = Infer<typeof Leader>;

/** The network that this node belongs to, or the candidate that it would found. */
export const NetworkAnswer = message('NetworkAnswer', {
  /** The encoded genesis once founded and settled: nobody has shown a lower one for 1 s. */
  genesis: optional(bytes(1, { maxLength: 65_536 })),
  /** The encoded candidate of an unfounded node. Transactions are signed for its digest until there is a network. */
  candidate: optional(bytes(2, { maxLength: 65_536 })),
});
export type NetworkAnswer = Infer<typeof NetworkAnswer>;

/** This node belongs to a network from now on: founded by itself or adopted. */
export const NetworkFounded = message('NetworkFounded', {
  genesis: bytes(1, { maxLength: 65_536 }),
  /** True where this node's own candidate became the genesis. */
  founder: bool(2),
  /** Digest of this node's candidate, or empty: transactions signed for it are of a different network now, unless equal. */
  candidate: bytes(3, { maxLength: 32 }),
});
/** A peer that is new in the table, or has a new record. */
export const PeerJoined = message('PeerJoined', { peer: nested(1, Peer) });

/** What a join has come to: the network that was adopted and the transaction that asks for membership. */
export const JoinAnswer = message('JoinAnswer', {
  network: bytes(1, { length: 32 }),
  /** Whom this node reached. */
  nodeId: string(2, { maxLength: 64 }),
  /** Id of the membership transaction, or empty where the node was a member already. */
  transaction: bytes(3, { maxLength: 32 }),
  /** True where that transaction only proposes the node: the validators vote on it. */
  voted: bool(4),
});

/** Who is there and how they belong together. */
export const P2p = defineRole('p2p', 1, {
  doc: 'The one peer table, the founding and adoption of a network, and who its leader is.',
  promises: [
    'P1: the peer table survives a restart, and known peers are dialled again with growing pauses',
    'P2: a record is stored only when its signature is valid and its sequence is higher than the known one',
    'P3: of two unfounded nodes the dialled one founds',
    'P4: an unfounded node adopts the network of a founded one, whoever dialled',
    'P5: of two networks at height 0 the lower genesis digest wins; above height 0 the session is refused with ERR_DIFFERENT_NETWORK; a recovered network is never given up and takes no founded node over',
    'P6: the leader is what consensus last said, and none before founding',
  ],
  calls: {
    join: command({
      name: 'peer.join',
      doc: 'Dials a member, adopts its network and asks to be admitted.',
      in: DialRequest,
      out: JoinAnswer,
      timeoutMs: 30_000,
    }),
    found: command({
      name: 'network.found',
      doc: 'Founds a network of this node alone, if it belongs to none.',
      in: Nothing,
      out: NetworkAnswer,
    }),
    list: query({ name: 'peer.list', doc: 'The peer table, this node first.', in: Nothing, out: Peers }),
    leader: query({ name: 'leader.get', doc: 'The leader repository.', in: Nothing, out: Leader }),
    network: query({
      name: 'network.get',
      doc: 'The genesis of the network, or the candidate.',
      in: Nothing,
      out: NetworkAnswer,
    }),
  },
  events: {
    joined: event({ name: 'peer.joined', doc: 'A peer is new in the table or has a new record.', body: PeerJoined }),
    founded: event({
      name: 'network.founded',
      doc: 'This node belongs to a network now; also when, at height 0, it changed over to another.',
      body: NetworkFounded,
    }),
    leaderUpdated: event({ name: 'leader.updated', doc: 'The leader is another one.', body: Leader }),
  },
});
export type P2p = Served<typeof P2p>;
