import { toHex } from '@it-chain/contracts';
import {
  answerPreVote,
  answerVote,
  askForPreVotes,
  countPreVote,
  countVote,
  voteWritten,
  waitAgain,
  watchLeader,
} from './elect.js';
import type { RaftEffect, RaftInput, RaftMessage, RaftRecord } from './interface.js';
import { accept, acceptWritten, append, built, countAck, lead, propose, resend } from './lead.js';
import { enterHeight, follow, isValidator, send, type RaftState } from './state.js';

/** Tells the machine what happened; answers what it wants done. Synchronous and a function of state and input alone. */
export function step(state: RaftState, input: RaftInput): readonly RaftEffect[] {
  state.effects.length = 0;
  apply(state, input);
  return [...state.effects];
}

function apply(state: RaftState, input: RaftInput): void {
  switch (input.type) {
    case 'start':
      begin(state, input.tip, input.records);
      break;
    case 'message':
      receive(state, input.from, input.message);
      break;
    case 'written':
      written(state, input.record, input.signature);
      break;
    case 'refused':
      // This key has promised otherwise, before its log was lost: it takes no part in the rest of this height.
      if (input.record.height === state.height) state.part = { as: 'follower' };
      break;
    case 'timeout':
      if (input.timer === 'election') askForPreVotes(state);
      else resend(state);
      break;
    case 'work':
      state.pooled = input.pooled;
      state.leaderDown = input.leaderDown;
      propose(state);
      watchLeader(state);
      break;
    case 'built':
      if (input.height === state.height) built(state, input.round, input.digest, input.block);
      break;
    case 'checked':
      checked(state, input);
      break;
    case 'committed':
      if (state.tip === undefined || input.tip.height > state.tip.height) begin(state, input.tip, []);
      break;
    case 'connected':
      state.connected.add(input.peer);
      if (state.tip !== undefined) send(state, [input.peer], { kind: 'status', height: state.tip.height });
      // It may have lost the block, or never had it.
      append(state, state.members.includes(input.peer) ? [input.peer] : []);
      break;
    case 'disconnected':
      state.connected.delete(input.peer);
      state.heights.delete(input.peer);
      break;
  }
}

/** Enter: start, or a new tip. The log says what this node has promised and accepted at this height. */
function begin(
  state: RaftState,
  tip: Extract<RaftInput, { type: 'start' }>['tip'],
  records: readonly RaftRecord[],
): void {
  const news = state.tip !== undefined;
  enterHeight(state, tip);
  for (const record of records) {
    if (record.height !== state.height || record.round < state.promised) continue;
    if (record.kind === 'vote') state.votedFor = record.candidate;
    else state.accepted = { round: record.round, digest: record.digest, block: record.block };
    if (record.round > state.promised && record.kind === 'accept') state.votedFor = undefined;
    state.promised = record.round;
  }
  state.effects.push({ type: 'round', height: state.height, round: 0, leader: state.owner });
  if (news) send(state, [...state.connected], { kind: 'status', height: tip.height });
  // The owner of round 0 leads without an election, unless it has promised a higher one.
  if (state.owner === state.options.self && state.promised === 0 && isValidator(state)) lead(state, 0);
  watchLeader(state);
}

function written(state: RaftState, record: RaftRecord, signature: Uint8Array): void {
  if (record.height !== state.height) return;
  if (record.kind === 'vote') voteWritten(state, record.candidate, record.round);
  else acceptWritten(state, record.round, record.digest, signature);
}

function receive(state: RaftState, from: string, message: RaftMessage): void {
  if (state.tip === undefined) return;
  if (message.kind === 'status') {
    state.heights.set(from, message.height);
    if (message.height > state.tip.height) state.effects.push({ type: 'sync', peer: from, height: message.height });
    return;
  }
  if (message.kind === 'decided') {
    decided(state, from, message);
    return;
  }
  if (message.height !== state.height) {
    // Ahead of this node, or behind it: either way the heights say what to do.
    if (message.height > state.height) {
      state.effects.push({ type: 'sync', peer: from, height: message.height - 1 });
    } else send(state, [from], { kind: 'status', height: state.tip.height });
    return;
  }
  if (state.members.includes(from) && isValidator(state)) judge(state, from, message);
}

function judge(state: RaftState, from: string, message: Exclude<RaftMessage, { kind: 'status' | 'decided' }>): void {
  switch (message.kind) {
    case 'append':
      appended(state, from, message);
      break;
    case 'ack':
      countAck(state, from, message.round, message.digest, message.signature);
      break;
    case 'refuse':
      state.seenRound = Math.max(state.seenRound, message.round);
      if (state.part.as === 'leader' && message.round > state.part.round) state.part = { as: 'follower' };
      state.asked = true;
      watchLeader(state);
      break;
    case 'pre-vote':
      answerPreVote(state, from, message);
      // A leader that is there says so with its block.
      propose(state);
      append(state, [from]);
      break;
    case 'pre-vote-answer':
      countPreVote(state, from, message);
      break;
    case 'vote':
      answerVote(state, from, message);
      break;
    case 'vote-answer':
      countVote(state, from, message);
      break;
  }
}

/** Enter: the leader of a round sends its block. Round 0 has an owner; of the others only an elected node sends one. */
function appended(
  state: RaftState,
  from: string,
  { height, round, digest, block }: Extract<RaftMessage, { kind: 'append' }>,
): void {
  if (round < state.promised) {
    send(state, [from], { kind: 'refuse', height, round: state.promised });
    return;
  }
  if (round === 0 && from !== state.owner) return;
  state.part = { as: 'follower' };
  follow(state, from, round);
  state.attempts = 0;
  waitAgain(state);
  const { accepted } = state;
  if (accepted?.round === round) {
    // One block in a round: another one of this round is not accepted, whoever sends it.
    if (accepted.digest === digest) accept(state, round, digest, accepted.block);
    return;
  }
  if (accepted?.digest === digest) {
    accept(state, round, digest, accepted.block);
    return;
  }
  if (state.checking?.round === round) return;
  state.checking = { round, digest, block, leader: from };
  state.effects.push({ type: 'check', height, round, digest, block });
}

function checked(state: RaftState, { height, round, digest, valid }: Extract<RaftInput, { type: 'checked' }>): void {
  const { checking } = state;
  if (height !== state.height || checking?.round !== round || checking.digest !== digest) return;
  state.checking = undefined;
  if (valid && round >= state.promised) accept(state, round, digest, checking.block);
}

/** A certificate that the driver has verified. */
function decided(state: RaftState, from: string, { certificate }: Extract<RaftMessage, { kind: 'decided' }>): void {
  if (certificate.height < state.height) return;
  const digest = toHex(certificate.digest);
  const { accepted, checking } = state;
  const block = accepted?.digest === digest ? accepted.block : checking?.digest === digest ? checking.block : undefined;
  if (certificate.height === state.height && block !== undefined) {
    state.effects.push({ type: 'decide', certificate, block });
  } else state.effects.push({ type: 'sync', peer: from, height: certificate.height });
}
