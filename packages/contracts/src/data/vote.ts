import { bytes, choice, message, uint32, uint64, type Infer } from '../schema/index.js';
import { signingBytes } from './signing.js';

/** Kinds of signed consensus messages. */
export const VOTE_TYPES = ['none', 'proposal', 'prepare', 'commit', 'round-change'] as const;
/** One of {@link VOTE_TYPES}. */
export type VoteType = (typeof VOTE_TYPES)[number];

/**
 * What every consensus signature covers besides the domain tag and the network. For `round-change` the digest is the
 * hash of the prepared round and digest it claims. A COMMIT's signature is the seal in the certificate.
 */
export const VoteContent = message('VoteContent', {
  type: choice(1, 'VoteType', VOTE_TYPES),
  height: uint64(2),
  round: uint32(3),
  digest: bytes(4, { length: 32 }),
});
export type VoteContent = Infer<typeof VoteContent>;

/** The bytes a validator signs for a vote. */
export function voteSigningBytes(network: Uint8Array, vote: VoteContent): Uint8Array {
  return signingBytes('vote', network, VoteContent.encode(vote));
}
