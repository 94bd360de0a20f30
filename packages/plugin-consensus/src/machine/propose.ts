import { toHex, type Block } from '@it-chain/contracts';
import type { RoundChangeClaim, SignedVote, VoteMessage } from './messages.js';
import { draftVote, enterRound, maySign, sign } from './rounds.js';
import { hasWork, leaderAt, type Turn, type KeptRoundChange } from './state.js';

/** R1: the leader of round 0 proposes a block of its own as soon as there is work. @returns true where the state changed */
export function proposeFirst(turn: Turn): boolean {
  const { state } = turn;
  const { at } = state;
  if (at.round !== 0 || at.accepted !== undefined || leaderAt(state, 0) !== state.selfKey) return false;
  if (!maySign(turn, 'proposal', 0)) return false;
  if (at.built?.round === 0) {
    signProposal(turn, 0, at.built.digest, at.built.block, [], []);
    return true;
  }
  if (hasWork(state)) requestBlock(turn, 0);
  return false;
}

/**
 * R7: with a quorum of ROUND_CHANGEs for a round that is its own, the leader proposes what was prepared highest among
 * them, or a block of its own. @returns true where the state changed
 */
export function proposeAfterRoundChange(turn: Turn): boolean {
  const { at } = turn.state;
  for (const round of [...at.roundChanges.keys()].sort((a, b) => b - a)) {
    if (proposeIn(turn, round)) return true;
  }
  return false;
}

function proposeIn(turn: Turn, round: number): boolean {
  const { state } = turn;
  const { at } = state;
  if (round < at.round || (round === at.round && at.accepted !== undefined)) return false;
  if (leaderAt(state, round) !== state.selfKey || !maySign(turn, 'proposal', round)) return false;
  const counted = countedChanges(turn, round);
  if (counted.length < state.members.q) return false;
  const top = highestPrepared(counted);
  const claims = counted.map(({ vote, prepared }) => ({ vote, prepared }));
  if (top?.prepared !== undefined) {
    const known = at.blocks.get(toHex(top.prepared.digest));
    if (known === undefined) return false;
    if (round > at.round) enterRound(turn, round);
    signProposal(turn, round, top.prepared.digest, known.block, claims, top.prepares);
    return true;
  }
  if (at.built?.round !== round) {
    requestBlock(turn, round);
    return false;
  }
  const { digest, block } = at.built;
  if (round > at.round) enterRound(turn, round);
  signProposal(turn, round, digest, block, claims, []);
  return true;
}

/** ROUND_CHANGEs of a round whose prepared block, if any, this node holds and has found valid. */
function countedChanges(turn: Turn, round: number): KeptRoundChange[] {
  const { at } = turn.state;
  return [...(at.roundChanges.get(round)?.values() ?? [])].filter(
    ({ prepared }) => prepared === undefined || at.blocks.has(toHex(prepared.digest)),
  );
}

function highestPrepared(changes: readonly KeptRoundChange[]): KeptRoundChange | undefined {
  let top: KeptRoundChange | undefined;
  for (const change of changes) {
    if (change.prepared !== undefined && change.prepared.round > (top?.prepared?.round ?? -1)) top = change;
  }
  return top;
}

function requestBlock(turn: Turn, round: number): void {
  const { state, out } = turn;
  if (state.at.building === round) return;
  state.at.building = round;
  state.at.buildFailed = false;
  out.push({ type: 'build', height: state.height, round });
}

function signProposal(
  turn: Turn,
  round: number,
  digest: Uint8Array,
  block: Block,
  roundChanges: readonly RoundChangeClaim[],
  prepares: readonly SignedVote[],
): void {
  const vote = draftVote(turn, 'proposal', round, digest);
  const message: VoteMessage = { kind: 'proposal', vote, block, roundChanges, prepares };
  sign(turn, { message, prepares: [] });
}

/** The answer to `build`. An answer for another round or height comes too late. */
export function onBuilt(
  turn: Turn,
  built: {
    readonly height: number;
    readonly round: number;
    readonly block?: Block | undefined;
    readonly digest?: Uint8Array | undefined;
  },
): void {
  const { state } = turn;
  const { at } = state;
  if (built.height !== state.height || at.building !== built.round) return;
  if (built.block === undefined || built.digest === undefined) {
    // Forgotten on the next STATUS tick, so that a failing chain is asked again, but not at once.
    at.buildFailed = true;
    return;
  }
  at.building = undefined;
  at.built = { round: built.round, block: built.block, digest: built.digest };
  at.blocks.set(toHex(built.digest), { block: built.block, fresh: true, stored: true });
}
