import {
  bool,
  bytes,
  message,
  nested,
  optional,
  repeated,
  string,
  uint32,
  uint64,
  type Infer,
} from '../schema/index.js';
import { EquivocationEvidence } from '../data/evidence.js';
import { defineRole, event, query, type Served } from '../plugin/role.js';
import { Nothing } from './common.js';

/** One validator as this node sees it. */
export const ValidatorView = message('ValidatorView', {
  publicKey: bytes(1, { length: 32 }),
  /** Height and round of its last message. */
  height: uint64(2),
  round: uint32(3),
  /** ms since the epoch of its last message, 0 = never. */
  seen: uint64(4),
  /** It is this node, or has a session to it. */
  present: optional(bool(5)),
  /** ms since the epoch: since when it has no session, 0 where it has one. */
  missingSince: optional(uint64(6)),
});
/** Where agreement on the open height stands, as this node sees it. */
export const ConsensusStatus = message('ConsensusStatus', {
  /** The height that is open. */
  height: uint64(1),
  round: uint32(2),
  /** Public key of leader(height, r), r the highest round that f+1 validators were seen in; empty before founding. */
  leader: bytes(3, { maxLength: 32 }),
  quorum: uint32(4),
  /** True where this node is in V(height). */
  validator: bool(5),
  views: repeated(nested(6, ValidatorView)),
  /** Why nothing is decided, in one sentence; empty when idle or moving. */
  waiting: string(7, { maxLength: 512 }),
  /** ms since the epoch: when this height was entered. */
  since: optional(uint64(8)),
  /** There is something to decide. */
  working: optional(bool(9)),
  /** Why this node asks for another leader at this height, in one sentence; empty where it does not. */
  complaint: optional(string(10, { maxLength: 512 })),
});
export type ConsensusStatus = Infer<typeof ConsensusStatus>;
/** A height or round that was entered, and its leader. */
export const RoundChanged = message('RoundChanged', {
  height: uint64(1),
  round: uint32(2),
  /** Public key of the leader. */
  leader: bytes(3, { length: 32 }),
});
/** Two signed votes of one validator (public key, 32 bytes) that exclude each other, each encoded. */
export const Evidence = message('Evidence', {
  publicKey: bytes(1, { length: 32 }),
  height: uint64(2),
  round: uint32(3),
  type: string(4, { maxLength: 32 }),
  first: bytes(5),
  second: bytes(6),
});
/** A proof that a validator signed two votes that exclude each other. */
export const KeptEvidence = message('KeptEvidence', {
  evidence: nested(1, EquivocationEvidence),
  /** ms since the epoch: when this node saw it. */
  seen: uint64(2),
});
/** The latest first. */
export const KeptEvidenceList = message('KeptEvidenceList', {
  entries: repeated(nested(1, KeptEvidence), { maxItems: 1_000 }),
});
export type KeptEvidenceList = Infer<typeof KeptEvidenceList>;

/** Agreement on the next block. */
export const Consensus = defineRole('consensus', 1, {
  doc: 'Decides the next block with the other validators, and catches up where it is behind.',
  promises: [
    'Q1: no two nodes commit different blocks at one height while at most f of 3f+1 validators are Byzantine',
    'Q2: every pending transaction is committed while a quorum is connected',
    'Q3: nothing is signed that an earlier signature contradicts, also after a restart',
    'Q4: a node that is behind catches up by certificates and trusts no peer',
    'Q5: without work there are no blocks and no timers',
  ],
  calls: {
    status: query({
      name: 'consensus.status',
      doc: 'Height, round, leader and what is waited for.',
      in: Nothing,
      out: ConsensusStatus,
    }),
    evidence: query({
      name: 'evidence.list',
      doc: 'The proofs of equivocation that this node has kept.',
      in: Nothing,
      out: KeptEvidenceList,
    }),
  },
  events: {
    round: event({
      name: 'consensus.round',
      doc: 'A height or round was entered, or the leader is another one.',
      body: RoundChanged,
    }),
    evidence: event({
      name: 'consensus.evidence',
      doc: 'A validator signed two different messages of one kind, height and round.',
      body: Evidence,
    }),
  },
});
export type Consensus = Served<typeof Consensus>;
