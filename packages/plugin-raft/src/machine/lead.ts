import type { Block } from '@it-chain/contracts';
import { clearTimer, follow, hasWork, others, send, type RaftState } from './state.js';

/** Enter: this node owns round 0, or was elected. Proposes what it accepted before, else a new block. */
export function lead(state: RaftState, round: number): void {
  state.part = { as: 'leader', round, busy: false, acks: new Map(), decided: false };
  state.suspects = false;
  clearTimer(state, 'election');
  follow(state, state.options.self, round);
  propose(state);
}

/** Enter: a new height, new work, or an election that was won. */
export function propose(state: RaftState): void {
  const { part, accepted, height } = state;
  if (part.as !== 'leader' || part.decided || part.busy) return;
  if (accepted !== undefined) {
    // A block of a lower round may be decided already, unknown to this node: it is the only one that may be proposed.
    if (part.acks.size > 0) return;
    part.busy = true;
    accept(state, part.round, accepted.digest, accepted.block);
    return;
  }
  if (part.round === 0 && !hasWork(state)) return;
  part.busy = true;
  state.effects.push({ type: 'build', height, round: part.round });
}

/** Enter: the chain has built the block, or could not. */
export function built(state: RaftState, round: number, digest: string | undefined, block: Block | undefined): void {
  const { part } = state;
  if (part.as !== 'leader' || part.round !== round || !part.busy || state.accepted !== undefined) return;
  if (digest === undefined || block === undefined) {
    part.busy = false;
    state.effects.push({ type: 'set-timer', timer: 'resend', ms: state.options.resendMs });
    return;
  }
  accept(state, round, digest, block);
}

/** Accepts a block in a round. Everybody else hears of it when it is on disk. */
export function accept(state: RaftState, round: number, digest: string, block: Block): void {
  // A promise is never taken back, whatever was under way when it was given.
  if (round < state.promised) return;
  state.promised = round;
  state.accepted = { round, digest, block };
  const { height } = state;
  state.effects.push({ type: 'write', record: { kind: 'accept', height, round, digest, block } });
}

/** Enter: a block this node accepted is on disk and signed. */
export function acceptWritten(state: RaftState, round: number, digest: string, signature: Uint8Array): void {
  const { part, height, accepted } = state;
  if (accepted?.round !== round || accepted.digest !== digest || state.promised !== round) return;
  if (part.as === 'leader' && part.round === round) {
    part.busy = false;
    part.acks.set(state.options.self, signature);
    append(state, others(state));
    decideIfMajority(state);
  } else send(state, [state.leader], { kind: 'ack', height, round, digest, signature });
}

/** Sends the block to these validators, and again later to those that have not answered. */
export function append(state: RaftState, to: readonly string[]): void {
  const { part, height, accepted } = state;
  if (part.as !== 'leader' || accepted?.round !== part.round || part.decided) return;
  // Not before it is on disk here: what a leader forgets in a crash, nobody may have accepted.
  if (to.length === 0 || !part.acks.has(state.options.self)) return;
  const { digest, block } = accepted;
  send(state, to, { kind: 'append', height, round: part.round, digest, block });
  state.effects.push({ type: 'set-timer', timer: 'resend', ms: state.options.resendMs });
}

/** Enter: the resend timer. */
export function resend(state: RaftState): void {
  const { part } = state;
  if (part.as !== 'leader' || part.decided) return;
  if (part.acks.has(state.options.self))
    append(
      state,
      others(state).filter((key) => !part.acks.has(key)),
    );
  else propose(state);
}

/** An acknowledgement whose signature the driver has verified. */
export function countAck(state: RaftState, from: string, round: number, digest: string, signature: Uint8Array): void {
  const { part, accepted } = state;
  if (part.as !== 'leader' || part.round !== round || accepted?.digest !== digest) return;
  part.acks.set(from, signature);
  decideIfMajority(state);
}

/** Enter: a majority has the block on disk. It is decided whatever becomes of this node. */
function decideIfMajority(state: RaftState): void {
  const { part, height, accepted, members } = state;
  if (part.as !== 'leader' || part.decided || accepted === undefined || part.acks.size < state.majority) return;
  part.decided = true;
  clearTimer(state, 'resend');
  const seals = members.flatMap((key, validator) => {
    const signature = part.acks.get(key);
    return signature === undefined ? [] : [{ validator, signature }];
  });
  const digest = new Uint8Array(Buffer.from(accepted.digest, 'hex'));
  const certificate = { height, round: part.round, digest, seals };
  state.effects.push({ type: 'decide', certificate, block: accepted.block });
  send(state, others(state), { kind: 'decided', certificate });
}
