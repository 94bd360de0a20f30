import { sameBytes, toHex } from '@it-chain/contracts';
import { blockDigest } from './justification.js';
import { isVoteMessage, type ConsensusMessage, type SignedVote, type Status, type VoteMessage } from './messages.js';
import { requestCheck } from './vote.js';
import { otherValidators, ownKey } from './rounds.js';
import { isValidator, type HeldMessage, type Hex, type Turn } from './state.js';

/** Messages with a block of the next height that are held at most; each may be as large as a block. */
const MAX_HELD_BLOCKS = 4;
/** Messages without a block of the next height that are held per sender. */
const MAX_HELD_PER_SENDER = 4;
/** STATUS ticks without getting on, while a peer is ahead, after which this node asks instead of waiting to be told. */
const PATIENCE = 2;

/** STATUS: remembers where a peer is, helps it where it is behind, and asks for help where this node is. */
export function onStatus(turn: Turn, from: Uint8Array, status: Status, attempt: number): void {
  const { state, out } = turn;
  const { tip, options } = state;
  if (tip === undefined) return;
  const key = toHex(from);
  if (state.peers.has(key) || state.peers.size < options.maxPeers) {
    const lag = Math.max(0, tip.height - status.height);
    state.peers.set(key, { height: status.height, round: status.round, lag });
  }
  if (status.seen !== undefined) noticeForgottenVote(turn, status.seen);
  if (status.height < tip.height) helpPeer(turn, from, status.height + 1, attempt);
  if (status.height > tip.height + options.decidedReach) out.push({ type: 'sync', peer: from, height: status.height });
  if (status.height === tip.height && !sameBytes(status.digest, tip.digest) && !state.audited.has(key)) {
    state.audited.add(key);
    out.push({ type: 'audit', peer: from, height: status.height });
  }
}

/**
 * Sends DECIDED to a peer that stands still below our tip. Who does it goes round with the peer's attempts, two at a
 * time, so that a peer is helped at once and not by everybody.
 */
export function helpPeer(turn: Turn, peer: Uint8Array, from: number, attempt: number): void {
  const { state, out } = turn;
  const { tip, members, options } = state;
  const self = members.index.get(state.selfKey);
  if (tip === undefined || self === undefined || attempt === 0 || !isResponder(self, attempt, members.n)) return;
  const count = Math.min(options.decidedReach, tip.height - from + 1);
  if (count > 0) out.push({ type: 'send-decided', to: peer, from, count });
}

function isResponder(self: number, attempt: number, n: number): boolean {
  const first = (2 * attempt) % n;
  return self === first || self === (first + 1) % n;
}

/** The one validator that brings a new block to those who do not vote; it is another one for each height. */
export function tellLearners(turn: Turn): void {
  const { state, out } = turn;
  const { tip, members } = state;
  if (tip === undefined || members.keys[tip.height % members.n] !== state.selfKey) return;
  for (const [key, peer] of state.connected) {
    const view = state.peers.get(key);
    if (members.index.has(key) || view === undefined || view.height >= tip.height) continue;
    if (view.height < tip.height - PUSH_REACH) continue;
    out.push({ type: 'send-decided', to: peer, from: tip.height, count: 1 });
  }
}

/** Peers further behind than this sync by themselves: a pushed block would only be dropped. */
const PUSH_REACH = 100;

/**
 * A peer holds a vote of this node that this node does not remember: its log or its guard is older than its past. It
 * stays silent until the height then open is decided by the others.
 */
function noticeForgottenVote(turn: Turn, seen: SignedVote): void {
  const { state } = turn;
  if (toHex(seen.signer) !== state.selfKey || seen.type === 'none' || state.options.acceptDoubleSignRisk) return;
  if (seen.height < state.height) return;
  const own = seen.height === state.height ? state.at.own.get(ownKey(seen.type, seen.round)) : undefined;
  const known = own === undefined ? isForgottenRound(turn, seen) : own.digest === toHex(seen.digest);
  if (!known) state.silentUntil = Math.max(state.silentUntil, seen.height);
}

/** Own votes of rounds left behind are not kept: what is earlier than the latest one is no surprise. */
function isForgottenRound(turn: Turn, seen: SignedVote): boolean {
  const { state } = turn;
  if (seen.height !== state.height) return false;
  return [...state.at.own.values()].some(({ record }) => record !== undefined && isLater(record.message.vote, seen));
}

/** HOLD: keeps messages of the next height, bounded; rebroadcast and sync recover what is dropped. */
export function hold(turn: Turn, message: HeldMessage): void {
  const { state } = turn;
  const sender = toHex(message.from);
  if (!state.nextMembers.index.has(sender) && message.content.kind !== 'decided') return;
  const heavy = carriesBlock(message.content);
  const alike = state.held.filter(
    (held) => carriesBlock(held.content) === heavy && (heavy || sameBytes(held.from, message.from)),
  );
  if (heavy && alike.some((held) => sameBytes(held.from, message.from) && held.content.kind === message.content.kind))
    return;
  const oldest = alike.length >= (heavy ? MAX_HELD_BLOCKS : MAX_HELD_PER_SENDER) ? alike[0] : undefined;
  state.held = [...state.held.filter((held) => held !== oldest), message];
}

function carriesBlock(content: ConsensusMessage): boolean {
  if (content.kind === 'round-change') return content.block !== undefined;
  return content.kind === 'proposal' || content.kind === 'decided';
}

/** WANT: this node has the block and gives it, whether or not it has committed it already. */
export function onWant(turn: Turn, from: Uint8Array, height: number, digest: Uint8Array): void {
  const { state, out } = turn;
  if (height < state.height) {
    out.push({ type: 'send-decided', to: from, from: height, count: 1 });
    return;
  }
  const known = height === state.height ? state.at.blocks.get(toHex(digest)) : undefined;
  if (known === undefined) return;
  out.push({ type: 'send', to: [from], content: { kind: 'body', height, block: known.block }, attempt: 0 });
}

/** BODY: checked like any other block, and only taken where a quorum of COMMITs waits for it. */
export function onBody(turn: Turn, from: Uint8Array, body: Extract<ConsensusMessage, { kind: 'body' }>): void {
  const { state } = turn;
  if (body.height !== state.height) return;
  const digest = toHex(blockDigest(body.block, state.options.network));
  if (state.at.wanted.has(digest)) requestCheck(turn, body.block, false, toHex(from), -1);
}

/** Remembers the last vote of each validator, for STATUS. */
export function rememberVote(turn: Turn, vote: SignedVote): void {
  const { state } = turn;
  const signer = toHex(vote.signer);
  if (!state.members.index.has(signer) && !state.nextMembers.index.has(signer)) return;
  const last = state.lastVotes.get(signer);
  if (last === undefined || isLater(vote, last)) state.lastVotes.set(signer, vote);
}

const ORDER = { none: 0, 'round-change': 1, proposal: 2, prepare: 3, commit: 4 } as const;

function isLater(a: SignedVote, b: SignedVote): boolean {
  if (a.height !== b.height) return a.height > b.height;
  if (a.round !== b.round) return a.round > b.round;
  return ORDER[a.type] > ORDER[b.type];
}

/** The STATUS tick: says where this node is, and asks for blocks where waiting has not helped. */
export function onStatusTimer(turn: Turn): void {
  const { state, out } = turn;
  if (state.tip === undefined) return;
  for (const [key, peer] of state.connected) sendStatus(turn, key, peer);
  state.statusAttempt += 1;
  // A build that failed is asked for again; one that takes long is waited for.
  if (state.at.buildFailed) {
    state.at.building = undefined;
    state.at.buildFailed = false;
  }
  const ahead = [...state.peers].filter(([key, view]) => view.height >= state.height && state.connected.has(key));
  if (state.statusAttempt > PATIENCE) {
    for (const [key, view] of ahead.slice(0, 3)) {
      const peer = state.connected.get(key);
      if (peer !== undefined) out.push({ type: 'sync', peer, height: view.height });
    }
  }
  const { height, options } = state;
  out.push({ type: 'set-timer', timer: 'status', height, round: 0, ms: options.statusMs });
}

/**
 * After a commit: whoever is two blocks behind or more still says so at once. Of the blocks that a peer sends two fit
 * above the tip; where it waited for the next tick, it would stay behind as long as the others make two blocks a tick.
 */
export function askWhileBehind(turn: Turn): void {
  const { state } = turn;
  for (const [key, view] of state.peers) {
    const peer = state.connected.get(key);
    // The height counts the attempts, so that it is not always the same two that help.
    if (peer !== undefined && view.height > state.height) sendStatus(turn, key, peer, state.height);
  }
}

/** STATUS for one peer: with the last vote that this node has seen signed by it. */
export function sendStatus(turn: Turn, key: Hex, peer: Uint8Array, attempt = turn.state.statusAttempt): void {
  const { state, out } = turn;
  if (state.tip === undefined) return;
  const { height, digest } = state.tip;
  const seen = state.lastVotes.get(key);
  const content = { kind: 'status', height, digest, round: seenRound(turn), seen } as const;
  out.push({ type: 'send', to: [peer], content, attempt });
}

/**
 * The highest round that f+1 validators were seen in, 0 where there is none: from their ROUND_CHANGEs, and for nodes that
 * get none from the STATUS of validators at the same height. It names the leader and decides nothing.
 */
export function seenRound(turn: Turn): number {
  const { state } = turn;
  const rounds = state.members.keys.map((key) => {
    const change = state.at.highest.get(key)?.vote.round ?? 0;
    const view = isValidator(state) ? undefined : state.peers.get(key);
    return Math.max(change, view !== undefined && view.height + 1 === state.height ? view.round : 0);
  });
  return rounds.sort((a, b) => b - a)[state.members.f] ?? 0;
}

/** REBROADCAST: the latest own message of each type goes out again, blocks only to those who have not answered. */
export function onRebroadcastTimer(turn: Turn): void {
  const { state, out } = turn;
  const { at, height, options } = state;
  if (at.deciding !== undefined) return;
  at.attempt += 1;
  at.wanted.clear();
  resend(turn);
  out.push({ type: 'set-timer', timer: 'rebroadcast', height, round: 0, ms: options.rebroadcastMs });
}

/** Sends the stored signed messages; nothing is signed again. */
export function resend(turn: Turn): void {
  const { state, out } = turn;
  const { at } = state;
  for (const content of latestOwn(turn)) {
    const prepared = at.prepares.get(content.vote.round);
    const to = otherValidators(state).filter(
      (key) => content.kind !== 'proposal' || prepared?.has(toHex(key)) !== true,
    );
    if (to.length > 0 && isDue(turn, content)) out.push({ type: 'send', to, content, attempt: at.attempt });
  }
}

/** Sends a validator whose session has just opened what it may have missed: what carries a block goes out rarely else. */
export function resendTo(turn: Turn, peer: Uint8Array): void {
  const { state, out } = turn;
  const { at } = state;
  const key = toHex(peer);
  if (at.deciding !== undefined || !state.members.index.has(key)) return;
  for (const content of latestOwn(turn)) {
    if (!carriesBlock(content)) continue;
    if (content.kind === 'proposal' && at.prepares.get(content.vote.round)?.has(key) === true) continue;
    out.push({ type: 'send', to: [peer], content, attempt: at.attempt });
  }
}

/** The latest signed message of each kind. */
function latestOwn(turn: Turn): VoteMessage[] {
  const latest: VoteMessage[] = [];
  for (const type of ['round-change', 'proposal', 'prepare', 'commit'] as const) {
    let found: VoteMessage | undefined;
    for (const { record } of turn.state.at.own.values()) {
      if (record?.message.kind !== type) continue;
      if (found === undefined || record.message.vote.round > found.vote.round) found = record.message;
    }
    if (found !== undefined) latest.push(found);
  }
  return latest;
}

/**
 * Votes go out with every rebroadcast. What carries a block goes out after 1, 2, 4, 8 of them and then every
 * MAX_HEAVY_GAP: where nodes or links are slow because of too much work, sending megabytes four times a second would make
 * them slower still, and they would never come out of it.
 */
function isDue({ state: { at } }: Turn, content: VoteMessage): boolean {
  if (!carriesBlock(content)) return true;
  const key = ownKey(content.kind, content.vote.round);
  const since = at.heavySince.get(key) ?? at.attempt - 1;
  at.heavySince.set(key, since);
  const tries = at.attempt - since;
  return tries % MAX_HEAVY_GAP === 0 || (tries & (tries - 1)) === 0;
}

/** Rebroadcasts between two times that a message with a block is sent. */
const MAX_HEAVY_GAP = 16;

/** The height that a message is about; undefined for those without one. */
export function heightOf(content: ConsensusMessage): number | undefined {
  if (isVoteMessage(content)) return content.vote.height;
  if (content.kind === 'decided') return content.certificate.height;
  return undefined;
}
