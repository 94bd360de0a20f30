import { toHex } from '@it-chain/contracts';
import type { LogRecord, OwnVoteType } from './interface.js';
import { claimDigest, type VoteMessage, type SignedVote } from './messages.js';
import { prune } from './pool.js';
import {
  hasWork,
  isSilent,
  isValidator,
  timeoutOf,
  type Hex,
  type KeptRoundChange,
  type State,
  type Turn,
} from './state.js';

const UNSIGNED = new Uint8Array(64);

/** A vote of this node that waits for its signature. */
export function draftVote(turn: Turn, type: OwnVoteType, round: number, digest: Uint8Array): SignedVote {
  const { height, options } = turn.state;
  return { type, height, round, digest, signer: options.self, signature: UNSIGNED };
}

/** The key of an own vote in `at.own`. */
export const ownKey = (type: OwnVoteType, round: number): string => `${type}/${round}`;

/** True where this node may sign a vote of this type in this round: it is a validator, not silent, and has not done so. */
export function maySign(turn: Turn, type: OwnVoteType, round: number): boolean {
  const { state } = turn;
  return isValidator(state) && !isSilent(state) && !state.at.own.has(ownKey(type, round));
}

/** Persist, then send: asks for the barrier. What was asked for is remembered at once, so nothing is asked for twice. */
export function sign(turn: Turn, record: LogRecord): void {
  const { vote } = record.message;
  turn.state.at.own.set(ownKey(record.message.kind, vote.round), { digest: toHex(vote.digest) });
  turn.out.push({ type: 'sign', record, to: otherValidators(turn.state) });
}

/** The validators of the open height but this node. */
export function otherValidators(state: State): Uint8Array[] {
  return state.members.set.validators
    .filter((_, index) => state.members.keys[index] !== state.selfKey)
    .map(({ publicKey }) => publicKey);
}

/** R5: the present round has taken too long. */
export function onRoundTimeout(turn: Turn, height: number, round: number): void {
  const { state } = turn;
  if (state.height !== height || state.at.round !== round || state.at.deciding !== undefined) return;
  if (isValidator(state)) moveTo(turn, round + 1);
}

/** MOVE: enters a round and says so with what is prepared. A round never goes back. */
export function moveTo(turn: Turn, round: number): void {
  enterRound(turn, round);
  if (!maySign(turn, 'round-change', round)) return;
  const { prepared, blocks } = turn.state.at;
  const claim = prepared && { round: prepared.round, digest: prepared.digest };
  const message: VoteMessage = {
    kind: 'round-change',
    vote: draftVote(turn, 'round-change', round, claimDigest(claim)),
    prepared: claim,
    block: prepared && blocks.get(toHex(prepared.digest))?.block,
    prepares: prepared?.prepares ?? [],
  };
  sign(turn, { message, prepares: [] });
}

/** The part of MOVE, R2 and R7 that they share: a higher round, nothing accepted in it, another timer. */
export function enterRound(turn: Turn, round: number): void {
  const { at } = turn.state;
  at.round = round;
  at.accepted = undefined;
  at.built = undefined;
  at.building = undefined;
  prune(turn);
  admitHighest(turn);
  if (at.armed) turn.out.push({ type: 'clear-timer', timer: 'round' });
  at.armed = false;
  armRoundTimer(turn);
}

/** ROUND_CHANGEs that lay above the window are counted for R7 once it has reached them. */
function admitHighest(turn: Turn): void {
  const { at, options } = turn.state;
  for (const [signer, change] of at.highest) {
    const { round } = change.vote;
    if (round < at.round || round > at.round + options.roundWindow) continue;
    const inRound = at.roundChanges.get(round) ?? new Map<Hex, KeptRoundChange>();
    at.roundChanges.set(round, inRound);
    if (!inRound.has(signer)) inRound.set(signer, change);
  }
}

/** R6: f+1 validators got further than this node, one of them honest. @returns true where the round moved */
export function followRoundChanges(turn: Turn): boolean {
  const { state } = turn;
  if (!isValidator(state)) return false;
  const rounds = [...state.at.highest.values()].map(({ vote }) => vote.round).sort((a, b) => b - a);
  const target = rounds[state.members.f] ?? 0;
  if (target <= state.at.round) return false;
  moveTo(turn, target);
  return true;
}

/**
 * TIMER: one per height and round, and a proposal in the present round does not start it again. Round 0 is timed while
 * there is work; a higher round from when a quorum is known to be in it or further. So whoever is ahead waits for the
 * others instead of staying one round ahead for ever, and without a quorum rounds do not grow.
 */
export function armRoundTimer(turn: Turn): void {
  const { state, out } = turn;
  const { at, height, options } = state;
  const wanted = isValidator(state) && at.deciding === undefined && isTimed(turn);
  if (wanted === at.armed) return;
  at.armed = wanted;
  const { round } = at;
  if (wanted) out.push({ type: 'set-timer', timer: 'round', height, round, ms: timeoutOf(options, round) });
  else out.push({ type: 'clear-timer', timer: 'round' });
}

function isTimed(turn: Turn): boolean {
  const { at, members, selfKey } = turn.state;
  if (at.round === 0) return at.touched || hasWork(turn.state);
  const there = members.keys.filter((key) => key === selfKey || (at.reached.get(key) ?? 0) >= at.round);
  return there.length >= members.q;
}

/** REBROADCAST runs while this node has said something at an undecided height. */
export function armRebroadcast(turn: Turn): void {
  const { state, out } = turn;
  const { at, height, options } = state;
  const wanted = at.deciding === undefined && [...at.own.values()].some(({ record }) => record !== undefined);
  if (wanted === at.rebroadcasting) return;
  at.rebroadcasting = wanted;
  if (wanted) out.push({ type: 'set-timer', timer: 'rebroadcast', height, round: 0, ms: options.rebroadcastMs });
  else out.push({ type: 'clear-timer', timer: 'rebroadcast' });
}
