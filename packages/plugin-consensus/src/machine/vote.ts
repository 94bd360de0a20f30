import { sameBytes, toHex, type Block } from '@it-chain/contracts';
import { blockDigest, judgeProposal, judgeRoundChange, type HeightView } from './justification.js';
import type { Proposal, RoundChange, SignedVote } from './messages.js';
import { accuse, addVote, inWindow, noteReached, votesFor } from './pool.js';
import { draftVote, enterRound, maySign, ownKey, sign } from './rounds.js';
import { isValidator, keepRoundChange, leaderAt, type Hex, type Turn } from './state.js';

/** Wrong bodies that are checked for one leader and round; the digest is right each time, so it must not be banned. */
const MAX_FAILED_CHECKS = 3;

/** What messages of the open height are judged against. */
export function viewOf(turn: Turn): HeightView | undefined {
  const { state } = turn;
  if (state.tip === undefined) return undefined;
  return {
    network: state.options.network,
    height: state.height,
    previous: state.tip.digest,
    members: state.members,
    leader: (round) => leaderAt(state, round),
  };
}

/** R2, first half: takes a proposal in, judges it, and has its block checked. */
export function onProposal(turn: Turn, proposal: Proposal): void {
  const { state } = turn;
  const { at } = state;
  const { vote } = proposal;
  const view = viewOf(turn);
  if (view === undefined || !inWindow(turn, vote.round)) return;
  if (toHex(vote.signer) !== view.leader(vote.round)) return;
  if (!addVote(turn, at.proposed, vote)) return;
  const judgement = judgeProposal(view, proposal);
  if ('rejection' in judgement) return;
  at.touched = true;
  noteReached(turn, vote);
  at.proposals.set(vote.round, proposal);
  const key = toHex(vote.digest);
  const known = at.blocks.get(key);
  if (known === undefined || (judgement.fresh && !known.fresh)) {
    requestCheck(turn, proposal.block, judgement.fresh, toHex(vote.signer), vote.round);
  }
}

/** Has a block checked, unless it is being checked or its sender has had its tries in this round. */
export function requestCheck(turn: Turn, block: Block, fresh: boolean, from: Hex, round: number): void {
  const { state, out } = turn;
  const { at } = state;
  const digest = blockDigest(block, state.options.network);
  const key = toHex(digest);
  const asker = `${from}/${round}`;
  for (const pending of at.checks.values()) {
    if (pending.digest === key && pending.fresh === fresh && pending.asker === asker) return;
  }
  if ((at.failures.get(asker) ?? 0) >= MAX_FAILED_CHECKS) return;
  const check = state.nextCheck;
  state.nextCheck += 1;
  at.checks.set(check, { check, digest: key, block, fresh, asker });
  out.push({ type: 'check', check, height: state.height, digest, block, fresh });
}

/** The answer to `check`. A body that failed is not remembered by its digest: the right body may have the same one. */
export function onChecked(turn: Turn, check: number, verdict: 'valid' | 'invalid' | 'unknown'): void {
  const { at } = turn.state;
  const pending = at.checks.get(check);
  if (pending === undefined) return;
  at.checks.delete(check);
  if (verdict === 'invalid') at.failures.set(pending.asker, (at.failures.get(pending.asker) ?? 0) + 1);
  if (verdict !== 'valid') return;
  const known = at.blocks.get(pending.digest);
  at.blocks.set(pending.digest, { block: pending.block, fresh: pending.fresh || known?.fresh === true, stored: true });
}

/** R2, second half: accepts the proposal of the highest round whose block is valid. @returns true where one was accepted */
export function acceptProposal(turn: Turn): boolean {
  const { at } = turn.state;
  for (const round of [...at.proposals.keys()].sort((a, b) => b - a)) {
    const proposal = at.proposals.get(round);
    if (proposal === undefined || round < at.round || (round === at.round && at.accepted !== undefined)) continue;
    if (!isAcceptable(turn, proposal)) continue;
    // The timer starts again only because the round is higher: in its own round a proposal does not prolong anything.
    if (round > at.round) enterRound(turn, round);
    at.accepted = toHex(proposal.vote.digest);
    signPrepare(turn, proposal);
    return true;
  }
  return false;
}

function isAcceptable(turn: Turn, proposal: Proposal): boolean {
  const known = turn.state.at.blocks.get(toHex(proposal.vote.digest));
  if (known === undefined) return false;
  if (known.fresh) return true;
  const view = viewOf(turn);
  if (view === undefined) return false;
  const judgement = judgeProposal(view, proposal);
  return 'fresh' in judgement && !judgement.fresh;
}

function signPrepare(turn: Turn, proposal: Proposal): void {
  const { round, digest } = proposal.vote;
  if (!maySign(turn, 'prepare', round)) return;
  const block = turn.state.at.blocks.get(toHex(digest))?.block ?? proposal.block;
  sign(turn, { message: { kind: 'prepare', vote: draftVote(turn, 'prepare', round, digest) }, block, prepares: [] });
}

/** PREPAREs and COMMITs may come before their proposal: they only wait in their pool. */
export function onVote(turn: Turn, vote: SignedVote): void {
  const { state } = turn;
  const { at, options } = state;
  if (!state.members.index.has(toHex(vote.signer))) return;
  noteReached(turn, vote);
  at.touched = true;
  const pool = vote.type === 'prepare' ? at.prepares : at.commits;
  // COMMITs decide in any round (R4), so those of rounds left behind are taken too.
  const lowest = vote.type === 'prepare' ? at.round : at.round - options.roundWindow;
  if (vote.round < lowest || vote.round > at.round + options.roundWindow) return;
  addVote(turn, pool, vote);
}

/** R3: a quorum of PREPAREs for the accepted block of the present round. @returns true where a COMMIT was signed */
export function commitPrepared(turn: Turn): boolean {
  const { state } = turn;
  const { at } = state;
  if (at.accepted === undefined || !isValidator(state) || at.own.has(ownKey('commit', at.round))) return false;
  const votes = votesFor(at.prepares, at.round, at.accepted);
  if (votes.length < state.members.q || !maySign(turn, 'commit', at.round)) return false;
  const known = at.blocks.get(at.accepted);
  const digest = votes[0]?.digest;
  if (known === undefined || digest === undefined) return false;
  const prepares = votes.slice(0, state.members.q);
  at.prepared = { round: at.round, digest, prepares };
  const vote = draftVote(turn, 'commit', at.round, digest);
  sign(turn, { message: { kind: 'commit', vote }, block: known.block, prepares });
  return true;
}

/** Takes a ROUND_CHANGE in for R6 and R7, if it may be counted. */
export function onRoundChange(turn: Turn, change: RoundChange): void {
  const { at, options } = turn.state;
  const { vote } = change;
  const view = viewOf(turn);
  if (view === undefined || judgeRoundChange(view, change) !== undefined) return;
  const signer = toHex(vote.signer);
  const highest = at.highest.get(signer);
  if (highest?.vote.round === vote.round && !sameBytes(highest.vote.digest, vote.digest)) {
    accuse(turn, highest.vote, vote);
    return;
  }
  at.touched = true;
  noteReached(turn, vote);
  const kept = keepRoundChange(change);
  if (highest === undefined || vote.round > highest.vote.round) at.highest.set(signer, kept);
  if (vote.round < at.round) return;
  if (vote.round <= at.round + options.roundWindow) keepInRound(turn, signer, kept);
  const { prepared, block } = change;
  if (prepared !== undefined && block !== undefined && !at.blocks.has(toHex(prepared.digest))) {
    requestCheck(turn, block, false, signer, vote.round);
  }
}

function keepInRound(turn: Turn, signer: Hex, kept: ReturnType<typeof keepRoundChange>): void {
  const { at } = turn.state;
  const inRound = at.roundChanges.get(kept.vote.round) ?? new Map<Hex, typeof kept>();
  at.roundChanges.set(kept.vote.round, inRound);
  const known = inRound.get(signer);
  if (known === undefined) inRound.set(signer, kept);
  else if (!sameBytes(known.vote.digest, kept.vote.digest)) accuse(turn, known.vote, kept.vote);
}
