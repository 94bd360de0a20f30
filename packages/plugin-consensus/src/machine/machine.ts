import { fromHex, toHex, type ChainTip } from '@it-chain/contracts';
import {
  askWhileBehind,
  heightOf,
  helpPeer,
  hold,
  onBody,
  onRebroadcastTimer,
  onStatus,
  onStatusTimer,
  onWant,
  rememberVote,
  resend,
  resendTo,
  seenRound,
  sendStatus,
  tellLearners,
} from './catch-up.js';
import { decideCommitted, enterHeight, onDecided, watchForViolation } from './decide.js';
import type { Effect, Input, LogRecord, TimerName } from './interface.js';
import { isVoteMessage, type ConsensusMessage } from './messages.js';
import { onBuilt, proposeAfterRoundChange, proposeFirst } from './propose.js';
import { restore, takeOwn } from './restore.js';
import { armRebroadcast, armRoundTimer, followRoundChanges, moveTo, onRoundTimeout } from './rounds.js';
import { isValidator, leaderAt, type State, type Turn } from './state.js';
import { acceptProposal, commitPrepared, onChecked, onProposal, onRoundChange, onVote } from './vote.js';

/**
 * One step of the machine: changes `state` and says what is to be done, in order. Synchronous; no clock, no I/O, no
 * randomness: the same state and input give the same state and effects.
 */
export function step(state: State, input: Input): Effect[] {
  const turn: Turn = { state, out: [] };
  take(turn, input);
  advance(turn);
  tellRound(turn);
  return turn.out;
}

function take(turn: Turn, input: Input): void {
  const { state } = turn;
  switch (input.type) {
    case 'start':
      onStart(turn, input.tip, input.records, input.silentUntil ?? 0);
      break;
    case 'message':
      onMessage(turn, input.from, input.content, input.attempt);
      break;
    case 'signed':
      takeOwn(turn, input.record);
      break;
    case 'refused':
      onRefused(turn, input);
      break;
    case 'timeout':
      onTimeout(turn, input.timer, input.height, input.round);
      break;
    case 'work':
      state.work = { pooled: input.pooled, leaderDown: input.leaderDown };
      break;
    case 'built':
      onBuilt(turn, input);
      break;
    case 'checked':
      onChecked(turn, input.check, input.verdict);
      break;
    case 'committed':
      onCommitted(turn, input.tip);
      break;
    case 'decide-failed':
      if (input.height === state.height) state.at.deciding = undefined;
      break;
    case 'connected':
      onConnected(turn, input.peer);
      break;
    case 'disconnected':
      state.connected.delete(toHex(input.peer));
      state.peers.delete(toHex(input.peer));
      break;
    case 'complain':
      if (input.height === state.height && state.at.deciding === undefined && isValidator(state)) {
        moveTo(turn, state.at.round + 1);
      }
      break;
  }
}

/** Tries every rule until none changes anything: votes may come before the proposal that they are for. */
function advance(turn: Turn): void {
  const { state } = turn;
  if (state.tip === undefined) return;
  const rules = [
    decideCommitted,
    followRoundChanges,
    acceptProposal,
    commitPrepared,
    proposeAfterRoundChange,
    proposeFirst,
  ];
  while (state.at.deciding === undefined && rules.some((rule) => rule(turn)));
  if (state.at.deciding !== undefined) watchForViolation(turn);
  armRoundTimer(turn);
  if (!state.at.rebroadcasting || state.at.deciding !== undefined) armRebroadcast(turn);
}

function onStart(turn: Turn, tip: ChainTip, records: readonly LogRecord[], silentUntil: number): void {
  const { state, out } = turn;
  const statusRuns = state.tip !== undefined;
  state.held = [];
  state.peers.clear();
  state.lastVotes.clear();
  state.silentUntil = silentUntil;
  enterHeight(turn, tip);
  restore(turn, records);
  if (!statusRuns) {
    out.push({ type: 'set-timer', timer: 'status', height: state.height, round: 0, ms: state.options.statusMs });
  }
  resend(turn);
}

function onCommitted(turn: Turn, tip: ChainTip): void {
  const { state } = turn;
  if (state.tip === undefined || tip.height <= state.tip.height) return;
  const follows = tip.height === state.height;
  enterHeight(turn, tip);
  tellLearners(turn);
  const held = follows ? state.held : [];
  state.held = [];
  for (const { from, content, attempt } of held) onMessage(turn, from, content, attempt);
  if (state.at.deciding === undefined) askWhileBehind(turn);
}

function onConnected(turn: Turn, peer: Uint8Array): void {
  const { state } = turn;
  const key = toHex(peer);
  if (key === state.selfKey || (!state.connected.has(key) && state.connected.size >= state.options.maxPeers)) return;
  state.connected.set(key, peer);
  sendStatus(turn, key, peer);
  resendTo(turn, peer);
}

/** The guard has seen another vote of this kind: this one stays unsaid. A leader that cannot propose makes room at once. */
function onRefused(turn: Turn, input: Extract<Input, { type: 'refused' }>): void {
  const { state } = turn;
  const current = input.height === state.height && input.round === state.at.round;
  if (input.kind === 'proposal' && current && state.at.deciding === undefined) moveTo(turn, input.round + 1);
}

function onTimeout(turn: Turn, timer: TimerName, height: number, round: number): void {
  if (timer === 'status') onStatusTimer(turn);
  else if (timer === 'round') onRoundTimeout(turn, height, round);
  else if (height === turn.state.height) onRebroadcastTimer(turn);
}

/** Routes a message by its height: the open one counts, the next one is held, an older one asks for help. */
function onMessage(turn: Turn, from: Uint8Array, content: ConsensusMessage, attempt: number): void {
  const { state } = turn;
  if (state.tip === undefined) return;
  const height = heightOf(content);
  if (isVoteMessage(content)) {
    // What comes with a vote is not signed: only its sender is taken at its word for it.
    if (toHex(content.vote.signer) !== toHex(from)) return;
    if (content.vote.height >= state.height) rememberVote(turn, content.vote);
  }
  if (height !== undefined && height > state.height) {
    if (height === state.height + 1) hold(turn, { from, content, attempt });
    return;
  }
  if (height !== undefined && height < state.height) {
    if (isVoteMessage(content)) helpPeer(turn, from, height, attempt);
    return;
  }
  route(turn, from, content, attempt);
}

function route(turn: Turn, from: Uint8Array, content: ConsensusMessage, attempt: number): void {
  switch (content.kind) {
    case 'proposal':
      onProposal(turn, content);
      break;
    case 'prepare':
    case 'commit':
      onVote(turn, content.vote);
      break;
    case 'round-change':
      onRoundChange(turn, content);
      break;
    case 'decided':
      onDecided(turn, content);
      break;
    case 'status':
      onStatus(turn, from, content, attempt);
      break;
    case 'want':
      onWant(turn, from, content.height, content.digest);
      break;
    case 'body':
      onBody(turn, from, content);
      break;
  }
}

/** leader = leader(tip + 1, r), r the highest round that f+1 validators were seen in. Told where it changed. */
function tellRound(turn: Turn): void {
  const { state, out } = turn;
  if (state.tip === undefined) return;
  const round = seenRound(turn);
  const leader = leaderAt(state, round);
  const { told, height } = state;
  if (told?.height === height && told.round === round && told.leader === leader) return;
  state.told = { height, round, leader };
  const publicKey = fromHex(leader, 32);
  if (publicKey !== undefined) out.push({ type: 'round', height, round, leader: publicKey });
}
