import { toHex } from '@it-chain/contracts';
import type { LogRecord } from './interface.js';
import { addVote, prune } from './pool.js';
import { ownKey } from './rounds.js';
import { keepRoundChange, type Turn } from './state.js';

/**
 * Takes an own signed message into the pools, where it counts like any other: after it was signed, and again after a
 * restart. The same function does both, so a node that restarts is the node that stopped.
 */
export function takeOwn(turn: Turn, record: LogRecord): void {
  const { state } = turn;
  const { at } = state;
  const { message } = record;
  const { vote } = message;
  if (vote.height !== state.height) return;
  at.own.set(ownKey(message.kind, vote.round), { digest: toHex(vote.digest), record });
  at.touched = true;
  if (message.kind === 'proposal') {
    addVote(turn, at.proposed, vote);
    at.proposals.set(vote.round, message);
  } else if (message.kind === 'round-change') {
    const kept = keepRoundChange(message);
    const highest = at.highest.get(state.selfKey);
    if (highest === undefined || vote.round > highest.vote.round) at.highest.set(state.selfKey, kept);
    const inRound = at.roundChanges.get(vote.round) ?? new Map<string, typeof kept>();
    at.roundChanges.set(vote.round, inRound.set(state.selfKey, kept));
  } else {
    addVote(turn, message.kind === 'prepare' ? at.prepares : at.commits, vote);
  }
}

/** Restart: the round is the highest one recorded, accepted is the block of its PREPARE, prepared the highest COMMIT. */
export function restore(turn: Turn, records: readonly LogRecord[]): void {
  const { state } = turn;
  const { at } = state;
  for (const record of records) {
    if (record.message.vote.height !== state.height) continue;
    restoreBlock(turn, record);
    takeOwn(turn, record);
    const { kind, vote } = record.message;
    at.round = Math.max(at.round, vote.round);
    if (kind === 'commit' && vote.round >= (at.prepared?.round ?? 0)) {
      at.prepared = { round: vote.round, digest: vote.digest, prepares: record.prepares };
    }
  }
  at.accepted = at.own.get(ownKey('prepare', at.round))?.digest;
  // The log keeps every round of the height; memory keeps what it would have kept without the restart.
  prune(turn);
}

/** A block in the log was valid when the record was written. The chain is given its body again with the decision. */
function restoreBlock(turn: Turn, { message, block }: LogRecord): void {
  const { at } = turn.state;
  const held = message.kind === 'proposal' || message.kind === 'round-change' ? message.block : block;
  const digest = message.kind === 'round-change' ? message.prepared?.digest : message.vote.digest;
  if (held === undefined || digest === undefined) return;
  at.blocks.set(toHex(digest), { block: held, fresh: true, stored: false });
}
