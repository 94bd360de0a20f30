import type { RaftMessage } from './interface.js';
import { lead } from './lead.js';
import { clearTimer, hasWork, isValidator, others, send, type RaftState } from './state.js';

type Of<Kind extends RaftMessage['kind']> = Extract<RaftMessage, { kind: Kind }>;

/** The round of what this node accepted; -1 for nothing. */
const acceptedRound = ({ accepted }: RaftState): number => accepted?.round ?? -1;

/**
 * Arms the election timer where there is work and somebody else leads. The place behind the leader gives each validator
 * another wait, which doubles with each attempt: so one of them gets through alone.
 */
export function watchLeader(state: RaftState): void {
  const { options, members, part } = state;
  if (part.as === 'leader' || !isValidator(state) || !hasWork(state)) {
    if (state.timerSet) clearTimer(state, 'election');
    return;
  }
  if (state.timerSet) return;
  const n = members.length;
  const place = (members.indexOf(options.self) - members.indexOf(state.leader) + n) % n;
  const wait = (options.electionMs + Math.max(0, place - 1) * options.staggerMs) * 2 ** Math.min(10, state.attempts);
  state.timerSet = true;
  const ms = Math.min(wait, options.maxElectionMs + place * options.staggerMs);
  state.effects.push({ type: 'set-timer', timer: 'election', ms });
}

/** The leader was heard, or a vote was given: the wait begins anew. */
export function waitAgain(state: RaftState): void {
  state.suspects = false;
  clearTimer(state, 'election');
  watchLeader(state);
}

/** Enter: the election timer ran out. Asks whether others would vote, too, before it promises anything. */
export function askForPreVotes(state: RaftState): void {
  state.timerSet = false;
  if (!isValidator(state) || state.part.as === 'leader' || !hasWork(state)) return;
  state.suspects = true;
  state.attempts += 1;
  const round = Math.max(state.promised, state.round, state.seenRound) + 1;
  state.part = { as: 'pre-candidate', round, granted: new Set([state.options.self]) };
  send(state, others(state), { kind: 'pre-vote', height: state.height, round, accepted: acceptedRound(state) });
  // Should the answers be lost, the next attempt is as good.
  watchLeader(state);
  standIfGranted(state);
}

/** Grants where this node misses the leader, too, and the candidate's block is at least as recent as its own. */
export function answerPreVote(state: RaftState, from: string, { height, round, accepted }: Of<'pre-vote'>): void {
  const recent = accepted >= acceptedRound(state) && round > state.promised;
  const misses = state.part.as !== 'leader' && (state.suspects || state.leaderDown || state.leader === from);
  const { promised } = state;
  send(state, [from], { kind: 'pre-vote-answer', height, round, promised, granted: recent && misses });
  // Somebody wants this height decided: that is work here, too, and if the leader is silent it will be missed soon.
  state.asked = true;
  watchLeader(state);
}

export function countPreVote(
  state: RaftState,
  from: string,
  { round, promised, granted }: Of<'pre-vote-answer'>,
): void {
  const { part } = state;
  state.seenRound = Math.max(state.seenRound, promised);
  if (part.as !== 'pre-candidate' || part.round !== round || !granted) return;
  part.granted.add(from);
  standIfGranted(state);
}

/** Enter: a majority would vote. From here on no lower round is accepted. */
function standIfGranted(state: RaftState): void {
  const { part } = state;
  if (part.as !== 'pre-candidate' || part.granted.size < state.majority || part.round <= state.promised) return;
  state.part = { as: 'candidate', round: part.round, granted: new Set() };
  promiseTo(state, state.options.self, part.round);
}

/** Promises a round to a candidate. The answer goes out when it is on disk. */
function promiseTo(state: RaftState, candidate: string, round: number): void {
  state.promised = round;
  state.votedFor = candidate;
  state.checking = undefined;
  state.effects.push({ type: 'write', record: { kind: 'vote', height: state.height, round, candidate } });
}

/** One vote in a round, for a candidate whose block is at least as recent: so a decided block is never lost. */
export function answerVote(state: RaftState, from: string, { height, round, accepted }: Of<'vote'>): void {
  state.asked = true;
  const again = round === state.promised && state.votedFor === from;
  if (again || (round > state.promised && accepted >= acceptedRound(state))) {
    if (!again && state.part.as !== 'follower') state.part = { as: 'follower' };
    // Asked again, the record is on disk, or about to be: `written` answers for both.
    promiseTo(state, from, round);
    waitAgain(state);
  } else send(state, [from], { kind: 'vote-answer', height, round, granted: false });
}

/** Enter: an own vote is on disk. */
export function voteWritten(state: RaftState, candidate: string, round: number): void {
  if (state.promised !== round || state.votedFor !== candidate) return;
  const { part, height } = state;
  if (candidate !== state.options.self) {
    send(state, [candidate], { kind: 'vote-answer', height, round, granted: true });
    return;
  }
  if (part.as !== 'candidate' || part.round !== round) return;
  part.granted.add(candidate);
  send(state, others(state), { kind: 'vote', height, round, accepted: acceptedRound(state) });
  leadIfElected(state);
}

export function countVote(state: RaftState, from: string, { round, granted }: Of<'vote-answer'>): void {
  const { part } = state;
  if (part.as !== 'candidate' || part.round !== round || !granted) return;
  part.granted.add(from);
  leadIfElected(state);
}

function leadIfElected(state: RaftState): void {
  const { part } = state;
  if (part.as === 'candidate' && part.granted.size >= state.majority) lead(state, part.round);
}
