import { bool, bytes, choice, message, nested, optional, repeated, string, uint32, type Infer } from '../schema/index.js';
import { concatBytes } from './hash.js';
import { signingBytes } from './signing.js';
import { EquivocationEvidence } from './evidence.js';
import { ADMISSIONS, GROWTHS } from './genesis.js';

/** Admits a node as learner. The sender of the transaction is the sponsor, a validator; the joiner signs too. */
export const MemberJoin = message('MemberJoin', {
  publicKey: bytes(1, { length: 32 }),
  name: string(2, { maxLength: 64 }),
  /** Ed25519 of the joiner over the domain `join`, the network, and {@link joinSigningBytes}. */
  signature: bytes(3, { length: 64 }),
});
export type MemberJoin = Infer<typeof MemberJoin>;

/** Makes learners validators. The sender is a validator. */
export const MemberPromote = message('MemberPromote', {
  publicKeys: repeated(bytes(1, { length: 32 }), { maxItems: 100 }),
});
export type MemberPromote = Infer<typeof MemberPromote>;

/** The sender leaves, as validator or learner. */
export const MemberLeave = message('MemberLeave', {});
export type MemberLeave = Infer<typeof MemberLeave>;

/** Admits a node as learner by vote, whatever the admission policy says; also one that was evicted. */
export const MemberAdmission = message('MemberAdmission', {
  publicKey: bytes(1, { length: 32 }),
  name: string(2, { maxLength: 64 }),
});
export type MemberAdmission = Infer<typeof MemberAdmission>;

/** Takes a validator or learner out of the network. */
export const MemberEviction = message('MemberEviction', {
  publicKey: bytes(1, { length: 32 }),
  /** For people. */
  reason: string(2, { maxLength: 256 }),
});
export type MemberEviction = Infer<typeof MemberEviction>;

/** Changes the policy of the network; what is absent stays as it is. */
export const PolicyChange = message('PolicyChange', {
  admission: optional(choice(1, 'Admission', ADMISSIONS)),
  growth: optional(choice(2, 'Growth', GROWTHS)),
  /** Public keys put on the allowlist, and taken off it. */
  allow: repeated(bytes(3, { length: 32 }), { maxItems: 100 }),
  disallow: repeated(bytes(4, { length: 32 }), { maxItems: 100 }),
});
export type PolicyChange = Infer<typeof PolicyChange>;

/** What validators vote on. */
export const MemberAction = message('MemberAction', {
  admit: optional(nested(1, MemberAdmission), 'action'),
  evict: optional(nested(2, MemberEviction), 'action'),
  policy: optional(nested(3, PolicyChange), 'action'),
});
export type MemberAction = Infer<typeof MemberAction>;

/** Puts an action to the vote. The sender is a validator; the id of the transaction is that of the proposal. */
export const MemberPropose = message('MemberPropose', {
  action: nested(1, MemberAction),
  /** True counts as the vote of the sender, too. A node that proposes by itself what a joiner asked for leaves it out. */
  approve: bool(2),
});
export type MemberPropose = Infer<typeof MemberPropose>;

/** A vote on a proposal; a later one of the same validator replaces it. The sender is a validator. */
export const MemberVote = message('MemberVote', {
  /** Id of the transaction that proposed it. */
  proposal: bytes(1, { length: 32 }),
  approve: bool(2),
});
export type MemberVote = Infer<typeof MemberVote>;

/** Evicts a validator for two votes that exclude each other. The sender is a validator; nobody votes. */
export const MemberAccuse = message('MemberAccuse', { evidence: nested(1, EquivocationEvidence) });
export type MemberAccuse = Infer<typeof MemberAccuse>;

/** A change of the members, executed by the chain itself. */
export const Membership = message('Membership', {
  join: optional(nested(1, MemberJoin), 'change'),
  promote: optional(nested(2, MemberPromote), 'change'),
  leave: optional(nested(3, MemberLeave), 'change'),
  propose: optional(nested(4, MemberPropose), 'change'),
  vote: optional(nested(5, MemberVote), 'change'),
  accuse: optional(nested(6, MemberAccuse), 'change'),
});
export type Membership = Infer<typeof Membership>;

/** What a joining node signs: its public key and its name, on this network. */
export function joinSigningBytes(network: Uint8Array, publicKey: Uint8Array, name: string): Uint8Array {
  return signingBytes('join', network, concatBytes(publicKey, Buffer.from(name, 'utf8')));
}

/** Asks a member to bring a join into the chain: the body of the peer request `join`. */
export const AdmissionRequest = message('AdmissionRequest', {
  /** The network to be joined, 32 bytes. */
  network: bytes(1, { length: 32 }),
  join: nested(2, MemberJoin),
  /** How often it was passed on; a learner passes it to a validator. */
  hops: uint32(3),
});
export type AdmissionRequest = Infer<typeof AdmissionRequest>;

/** Id of the membership transaction, or empty where the joiner is a member already. */
export const AdmissionAnswer = message('AdmissionAnswer', {
  transaction: bytes(1, { maxLength: 32 }),
  /** True where the transaction only proposes the joiner: the validators vote on it. */
  voted: bool(2),
});
export type AdmissionAnswer = Infer<typeof AdmissionAnswer>;
