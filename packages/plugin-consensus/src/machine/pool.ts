import { sameBytes, toHex } from '@it-chain/contracts';
import type { Hex, Turn, VotePool } from './state.js';
import type { SignedVote } from './messages.js';

/**
 * Adds a vote to a pool: one per sender, type and round. A second one with another digest is evidence and not counted.
 * @returns true where the vote is the one that is kept
 */
export function addVote(turn: Turn, pool: VotePool, vote: SignedVote): boolean {
  const signer = toHex(vote.signer);
  const inRound = pool.get(vote.round) ?? new Map<Hex, SignedVote>();
  pool.set(vote.round, inRound);
  const known = inRound.get(signer);
  if (known === undefined) {
    inRound.set(signer, vote);
    return true;
  }
  if (sameBytes(known.digest, vote.digest)) return true;
  accuse(turn, known, vote);
  return false;
}

/** Notes that the signer of a vote has reached its round. Whoever calls this has found the signer in V(height). */
export function noteReached(turn: Turn, vote: SignedVote): void {
  const { reached } = turn.state.at;
  const signer = toHex(vote.signer);
  reached.set(signer, Math.max(vote.round, reached.get(signer) ?? 0));
}

/** Gives evidence once per sender and type: one is proof enough, and a liar must not fill memory round by round. */
export function accuse(turn: Turn, first: SignedVote, second: SignedVote): void {
  const { accused } = turn.state.at;
  const key = `${first.type}/${toHex(first.signer)}`;
  if (accused.has(key)) return;
  accused.add(key);
  turn.out.push({ type: 'evidence', first, second });
}

/** The votes of a pool for exactly this round and digest. */
export function votesFor(pool: VotePool, round: number, digest: Hex): SignedVote[] {
  return [...(pool.get(round)?.values() ?? [])].filter((vote) => toHex(vote.digest) === digest);
}

/** The digest that `quorum` votes of a round agree on, if any. */
export function quorumDigest(pool: VotePool, round: number, quorum: number): Hex | undefined {
  const counts = new Map<Hex, number>();
  for (const vote of pool.get(round)?.values() ?? []) {
    const digest = toHex(vote.digest);
    const count = (counts.get(digest) ?? 0) + 1;
    if (count >= quorum) return digest;
    counts.set(digest, count);
  }
  return undefined;
}

/** True where messages of this round are kept: from the present round up to the window above it. */
export function inWindow(turn: Turn, round: number): boolean {
  const { at, options } = turn.state;
  return round >= at.round && round <= at.round + options.roundWindow;
}

/** Forgets what the present round has left behind; COMMITs are kept a window longer, for a quorum that arrives late. */
export function prune(turn: Turn): void {
  const { at, options } = turn.state;
  for (const pool of [at.proposed, at.proposals, at.prepares, at.roundChanges]) {
    for (const round of pool.keys()) if (round < at.round) pool.delete(round);
  }
  for (const round of at.commits.keys()) if (round < at.round - options.roundWindow) at.commits.delete(round);
  pruneOwn(turn);
  const used = new Set<Hex | undefined>([at.accepted, at.prepared && toHex(at.prepared.digest)]);
  for (const votes of [at.proposed, at.commits]) {
    for (const inRound of votes.values()) for (const vote of inRound.values()) used.add(toHex(vote.digest));
  }
  for (const change of at.highest.values()) used.add(change.prepared && toHex(change.prepared.digest));
  for (const digest of at.blocks.keys()) {
    if (at.blocks.size <= options.roundWindow) break;
    if (!used.has(digest)) at.blocks.delete(digest);
  }
}

/**
 * Of own votes the present round's and the latest of each type are kept: no earlier round is ever voted in again. The
 * latest that was signed stays too, since peers hold it while those behind it wait for their signatures.
 */
function pruneOwn(turn: Turn): void {
  const { at } = turn.state;
  const latest = new Map<string, number>();
  const latestSigned = new Map<string, number>();
  const rows = [...at.own].map(([key, { record }]) => {
    const [type = '', round = '0'] = key.split('/');
    return { key, type, round: Number(round), last: record === undefined ? latest : latestSigned };
  });
  for (const { type, round, last } of rows) {
    latest.set(type, Math.max(latest.get(type) ?? 0, round));
    last.set(type, Math.max(last.get(type) ?? 0, round));
  }
  for (const { key, type, round, last } of rows) {
    if (round < at.round && round < (last.get(type) ?? 0)) at.own.delete(key);
  }
}
