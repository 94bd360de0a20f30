import { bytes, message, nested, optional, repeated, string, uint32, type Infer } from '../schema/index.js';
import { concatBytes } from './hash.js';
import { signingBytes } from './signing.js';

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

/** A change of the members, executed by the chain itself. */
export const Membership = message('Membership', {
  join: optional(nested(1, MemberJoin), 'change'),
  promote: optional(nested(2, MemberPromote), 'change'),
  leave: optional(nested(3, MemberLeave), 'change'),
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
export const AdmissionAnswer = message('AdmissionAnswer', { transaction: bytes(1, { maxLength: 32 }) });
