import { fromHex, nodeIdOf } from '@it-chain/contracts';
import { seenRound } from './catch-up.js';
import { hasWork, isSilent, isValidator, leaderAt, type Hex, type State } from './state.js';

/** The state in the words of `consensus.status`. */
export interface Explanation {
  readonly height: number;
  readonly round: number;
  /** Public key of the leader, hex; empty before the start. */
  readonly leader: Hex;
  readonly quorum: number;
  readonly validator: boolean;
  /** Public keys, hex, with height and round of what was last seen of each. */
  readonly views: readonly ExplainedValidator[];
  /** Why nothing is decided, in one sentence; empty when idle or moving. */
  readonly waiting: string;
  /** There is something to decide. */
  readonly working: boolean;
}

/** A validator as this node sees it. */
export interface ExplainedValidator {
  readonly key: Hex;
  readonly height: number;
  readonly round: number;
  /** It is this node, or has a session to it. */
  readonly present: boolean;
}

/** Describes the state for people. */
export function explain(state: State): Explanation {
  const round = seenRound({ state, out: [] });
  return {
    height: state.height,
    round: Math.max(round, isValidator(state) ? state.at.round : 0),
    leader: leaderAt(state, round),
    quorum: state.members.q,
    validator: isValidator(state),
    views: state.members.keys.map((key) => ({
      ...viewOf(state, key),
      present: key === state.selfKey || state.connected.has(key),
    })),
    working: hasWork(state) || state.at.touched || state.at.round > 0,
    waiting: state.tip === undefined ? 'this node belongs to no network yet' : waiting(state),
  };
}

/** Validators of the open height that this node has no session to. */
export function absentValidators({ members, selfKey, connected }: State): Hex[] {
  return members.keys.filter((key) => key !== selfKey && !connected.has(key));
}

function viewOf(state: State, key: Hex): { key: Hex; height: number; round: number } {
  if (key === state.selfKey) return { key, height: state.height, round: state.at.round };
  const vote = state.lastVotes.get(key);
  const peer = state.peers.get(key);
  if (vote !== undefined && vote.height > (peer?.height ?? -1)) return { key, height: vote.height, round: vote.round };
  return { key, height: peer === undefined ? 0 : peer.height + 1, round: peer?.round ?? 0 };
}

function waiting(state: State): string {
  const { at, members, height } = state;
  if (isSilent(state)) {
    return `this node does not vote before height ${state.silentUntil + 1}: peers hold votes of it that it does not remember`;
  }
  if (at.deciding !== undefined) return '';
  const missing = absentValidators(state);
  const present = members.n - missing.length;
  const busy = hasWork(state) || at.touched || at.round > 0;
  if (missing.length > 0 && present < members.q) {
    return `height ${height} needs ${members.q} of ${members.n} validators and ${present} are connected; missing: ${names(missing)}`;
  }
  if (!busy || at.round === 0) return '';
  const silent = members.keys.filter((key) => key !== state.selfKey && !hasSpoken(state, key));
  const who = silent.length === 0 ? '' : `; nothing heard from ${names(silent)}`;
  return `height ${height} is in round ${at.round}, led by ${names([leaderAt(state, at.round)])}: ${members.q} of ${members.n} votes are needed${who}`;
}

function hasSpoken(state: State, key: Hex): boolean {
  return state.lastVotes.get(key)?.height === state.height;
}

/** At most five ids, so that a sentence stays one. */
function names(keys: readonly Hex[]): string {
  const ids = keys.slice(0, 5).map((key) => {
    const bytes = fromHex(key, 32);
    return bytes === undefined ? 'nobody' : nodeIdOf(bytes);
  });
  return keys.length > 5 ? `${ids.join(', ')} and ${keys.length - 5} more` : ids.join(', ');
}
