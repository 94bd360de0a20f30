import {
  type Block,
  BlockHeader,
  headerDigest,
  signBytes,
  voteSigningBytes,
  type KeyPair,
  type VoteType,
} from '@it-chain/contracts';
import type { SignedVote } from '@it-chain/plugin-consensus';

/** A proposal as the machine speaks it. */
export interface Proposal {
  readonly kind: 'proposal';
  readonly vote: SignedVote;
  readonly block: Block;
  readonly roundChanges: readonly { readonly vote: SignedVote }[];
  readonly prepares: readonly SignedVote[];
}

/** Signs a vote with a key, past every guard. */
export function forgeVote(
  keys: KeyPair,
  network: Uint8Array,
  vote: { readonly type: VoteType; readonly height: number; readonly round: number; readonly digest: Uint8Array },
): SignedVote {
  const { type, height, round, digest } = vote;
  const signature = signBytes(voteSigningBytes(network, { type, height, round, digest }), keys.secretKey);
  return { type, height, round, digest, signer: keys.publicKey, signature };
}

/** The same block with another header. */
export function withHeader(block: Block, change: (header: BlockHeader) => Partial<BlockHeader>): Block {
  const header = BlockHeader.decode(block.header);
  return { ...block, header: BlockHeader.encode({ ...header, ...change(header) }) };
}

/** A proposal of another block in the place of this one, signed like the first. */
export function forgeProposal(keys: KeyPair, network: Uint8Array, proposal: Proposal, block: Block): Proposal {
  const digest = headerDigest(block.header, network);
  return { ...proposal, block, vote: forgeVote(keys, network, { ...proposal.vote, digest }) };
}
