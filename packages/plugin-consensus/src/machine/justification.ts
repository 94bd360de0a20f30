import { BlockHeader, headerDigest, hasCode, sameBytes, toHex, type Block } from '@it-chain/contracts';
import type { Members } from './members.js';
import { claimDigest, type Proposal, type RoundChange, type RoundChangeClaim, type SignedVote } from './messages.js';

/** What a proposal is judged against: a height, its validators and the block below. */
export interface HeightView {
  readonly network: Uint8Array;
  readonly height: number;
  /** Digest of the block below. */
  readonly previous: Uint8Array;
  readonly members: Members;
  /** Public key (hex) of leader(height, round). */
  readonly leader: (round: number) => string;
}

/** Why a proposal or a round change is not counted. */
export type Rejection =
  | 'wrong-type'
  | 'wrong-height'
  | 'not-the-leader'
  | 'not-a-validator'
  | 'header-malformed'
  | 'digest-mismatch'
  | 'block-of-another-height'
  | 'block-of-another-parent'
  | 'justification-in-round-0'
  | 'not-its-creator'
  | 'too-few-round-changes'
  | 'round-change-of-another-type'
  | 'round-change-of-another-height'
  | 'round-change-of-another-round'
  | 'round-change-of-a-stranger'
  | 'round-change-twice'
  | 'round-change-claim-mismatch'
  | 'round-change-claim-not-below'
  | 'prepares-without-claim'
  | 'block-without-claim'
  | 'not-the-prepared-block'
  | 'too-few-prepares'
  | 'prepare-of-another-type'
  | 'prepare-of-another-height'
  | 'prepare-of-another-round'
  | 'prepare-of-another-digest'
  | 'prepare-of-a-stranger'
  | 'prepare-twice'
  | 'round-change-in-round-0'
  | 'claim-without-block';

/** The verdict on a proposal. `fresh`: no prepared certificate stands behind it, so its time is compared with the clock. */
export type Judgement = { readonly fresh: boolean } | { readonly rejection: Rejection };

/** The digest of a block: that of its header. */
export function blockDigest(block: Block, network: Uint8Array): Uint8Array {
  return headerDigest(block.header, network);
}

/** JUSTIFIED: may this block be proposed in this round? Signatures have been verified before. */
export function judgeProposal(view: HeightView, proposal: Proposal): Judgement {
  const { vote, roundChanges, prepares } = proposal;
  const wrong = judgeProposalVote(view, vote) ?? judgeBlock(view, proposal.block, vote.digest);
  if (wrong !== undefined) return { rejection: wrong };
  if (vote.round === 0) {
    if (roundChanges.length > 0 || prepares.length > 0) return { rejection: 'justification-in-round-0' };
    return judgeCreator(view, proposal);
  }
  const unjustified = judgeClaims(view, vote.round, roundChanges);
  if (unjustified !== undefined) return { rejection: unjustified };
  const top = highestClaims(roundChanges);
  if (top.length === 0) {
    return prepares.length > 0 ? { rejection: 'prepares-without-claim' } : judgeCreator(view, proposal);
  }
  const claim = top.find(({ prepared }) => prepared !== undefined && sameBytes(prepared.digest, vote.digest))?.prepared;
  if (claim === undefined) return { rejection: 'not-the-prepared-block' };
  const rejection = judgePrepares(view, prepares, claim.round, claim.digest);
  return rejection === undefined ? { fresh: false } : { rejection };
}

/** May this ROUND_CHANGE be counted? A claim needs its quorum of PREPAREs and its block, so a liar cannot poison a leader. */
export function judgeRoundChange(view: HeightView, change: RoundChange): Rejection | undefined {
  const { vote, prepared, block, prepares } = change;
  const wrong = judgeClaim(view, vote.round, change);
  if (wrong !== undefined) return wrong;
  if (prepared === undefined) {
    if (block !== undefined) return 'block-without-claim';
    return prepares.length > 0 ? 'prepares-without-claim' : undefined;
  }
  if (block === undefined) return 'claim-without-block';
  return judgeBlock(view, block, prepared.digest) ?? judgePrepares(view, prepares, prepared.round, prepared.digest);
}

function judgeProposalVote(view: HeightView, vote: SignedVote): Rejection | undefined {
  if (vote.type !== 'proposal') return 'wrong-type';
  if (vote.height !== view.height) return 'wrong-height';
  return toHex(vote.signer) === view.leader(vote.round) ? undefined : 'not-the-leader';
}

function judgeBlock(view: HeightView, block: Block, digest: Uint8Array): Rejection | undefined {
  const header = readHeader(block);
  if (header === undefined) return 'header-malformed';
  if (!sameBytes(blockDigest(block, view.network), digest)) return 'digest-mismatch';
  if (header.height !== view.height) return 'block-of-another-height';
  return sameBytes(header.previous, view.previous) ? undefined : 'block-of-another-parent';
}

/** A block that nobody had prepared is proposed by its creator only: it decides who leads the next height. */
function judgeCreator(view: HeightView, proposal: Proposal): Judgement {
  const header = readHeader(proposal.block);
  const creator = header === undefined ? '' : toHex(header.proposer);
  return creator === view.leader(proposal.vote.round) ? { fresh: true } : { rejection: 'not-its-creator' };
}

function judgeClaims(view: HeightView, round: number, claims: readonly RoundChangeClaim[]): Rejection | undefined {
  const senders = new Set<string>();
  for (const claim of claims) {
    const wrong = judgeClaim(view, round, claim);
    if (wrong !== undefined) return wrong;
    senders.add(toHex(claim.vote.signer));
  }
  if (senders.size !== claims.length) return 'round-change-twice';
  return senders.size < view.members.q ? 'too-few-round-changes' : undefined;
}

function judgeClaim(view: HeightView, round: number, claim: RoundChangeClaim): Rejection | undefined {
  const { vote, prepared } = claim;
  if (vote.type !== 'round-change') return 'round-change-of-another-type';
  if (vote.height !== view.height) return 'round-change-of-another-height';
  if (vote.round !== round) return 'round-change-of-another-round';
  if (vote.round === 0) return 'round-change-in-round-0';
  if (!view.members.index.has(toHex(vote.signer))) return 'round-change-of-a-stranger';
  if (!sameBytes(vote.digest, claimDigest(prepared))) return 'round-change-claim-mismatch';
  return prepared !== undefined && prepared.round >= vote.round ? 'round-change-claim-not-below' : undefined;
}

function highestClaims(claims: readonly RoundChangeClaim[]): readonly RoundChangeClaim[] {
  const rounds = claims.flatMap(({ prepared }) => (prepared === undefined ? [] : [prepared.round]));
  const highest = Math.max(-1, ...rounds);
  return claims.filter(({ prepared }) => prepared?.round === highest);
}

/** At least q PREPAREs of distinct validators for exactly this height, round and digest, and nothing else among them. */
function judgePrepares(
  view: HeightView,
  prepares: readonly SignedVote[],
  round: number,
  digest: Uint8Array,
): Rejection | undefined {
  const senders = new Set<string>();
  for (const vote of prepares) {
    if (vote.type !== 'prepare') return 'prepare-of-another-type';
    if (vote.height !== view.height) return 'prepare-of-another-height';
    if (vote.round !== round) return 'prepare-of-another-round';
    if (!sameBytes(vote.digest, digest)) return 'prepare-of-another-digest';
    const sender = toHex(vote.signer);
    if (!view.members.index.has(sender)) return 'prepare-of-a-stranger';
    senders.add(sender);
  }
  if (senders.size !== prepares.length) return 'prepare-twice';
  return senders.size < view.members.q ? 'too-few-prepares' : undefined;
}

function readHeader(block: Block): BlockHeader | undefined {
  try {
    return BlockHeader.decodeCanonical(block.header);
  } catch (error) {
    // A header that cannot be read is an answer about the message, not a fault of this node.
    if (hasCode(error, 'ERR_DATA_MALFORMED')) return undefined;
    throw error;
  }
}
