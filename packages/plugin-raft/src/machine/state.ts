import { leaderOf, majorityOf, toHex, type Block, type ChainTip } from '@it-chain/contracts';
import type { RaftEffect, RaftMessage, RaftOptions } from './interface.js';

/** A block that this node accepted, in the round in which it did so last. */
export interface Accepted {
  readonly round: number;
  readonly digest: string;
  readonly block: Block;
}

/** A block that is being checked before it is accepted. */
export interface Checking extends Accepted {
  readonly leader: string;
}

/** What this node does in the round it works for. */
export type Part =
  | { readonly as: 'follower' }
  | { readonly as: 'pre-candidate'; readonly round: number; readonly granted: Set<string> }
  | { readonly as: 'candidate'; readonly round: number; readonly granted: Set<string> }
  | {
      readonly as: 'leader';
      readonly round: number;
      /** A block was asked for, or is being written: nothing else is proposed meanwhile. */
      busy: boolean;
      /** Signatures by validator, the own one once it is on disk. */
      readonly acks: Map<string, Uint8Array>;
      decided: boolean;
    };

/** All that a machine knows. Changed by `step` only. */
export interface RaftState {
  readonly options: RaftOptions;
  readonly effects: RaftEffect[];
  tip: ChainTip | undefined;
  /** The open height. */
  height: number;
  /** V(height), hex, in order. */
  members: readonly string[];
  majority: number;
  /** leader(height, 0): it leads without an election. */
  owner: string;
  /** No round below it is accepted or voted for any more. */
  promised: number;
  /** Whom this node voted for in the round `promised`. */
  votedFor: string | undefined;
  accepted: Accepted | undefined;
  checking: Checking | undefined;
  part: Part;
  /** The leader and round that this node follows, as far as it knows. */
  leader: string;
  round: number;
  /** True once the election timer ran out with nothing heard of the leader. */
  suspects: boolean;
  attempts: number;
  /** The highest round that anybody has said it promised. */
  seenRound: number;
  timerSet: boolean;
  pooled: boolean;
  leaderDown: boolean;
  /** Somebody asked for an election at this height: that is work, too. */
  asked: boolean;
  readonly connected: Set<string>;
  /** Heights of tips, as peers last said. */
  readonly heights: Map<string, number>;
}

/** A machine before its `start`. */
export function createState(options: RaftOptions): RaftState {
  return {
    options,
    effects: [],
    tip: undefined,
    height: 0,
    members: [],
    majority: 1,
    owner: '',
    promised: 0,
    votedFor: undefined,
    accepted: undefined,
    checking: undefined,
    part: { as: 'follower' },
    leader: '',
    round: 0,
    suspects: false,
    attempts: 0,
    seenRound: 0,
    timerSet: false,
    pooled: false,
    leaderDown: false,
    asked: false,
    connected: new Set(),
    heights: new Map(),
  };
}

/** Enter: `start` and every new tip. What was said about lower heights is over. */
export function enterHeight(state: RaftState, tip: ChainTip): void {
  const validators = tip.validators.validators;
  state.tip = tip;
  state.height = tip.height + 1;
  state.members = validators.map(({ publicKey }) => toHex(publicKey));
  state.majority = majorityOf(validators.length);
  const previous = { publicKey: tip.proposer, sequence: tip.proposerSequence };
  const owner = validators[leaderOf(tip.validators, state.height, 0, previous, state.options.leaderTerm)];
  state.owner = owner === undefined ? '' : toHex(owner.publicKey);
  state.promised = 0;
  state.votedFor = undefined;
  state.accepted = undefined;
  state.checking = undefined;
  state.part = { as: 'follower' };
  state.leader = state.owner;
  state.round = 0;
  state.suspects = false;
  state.attempts = 0;
  state.seenRound = 0;
  state.asked = false;
  clearTimer(state, 'election');
  clearTimer(state, 'resend');
}

export const isValidator = (state: RaftState): boolean => state.members.includes(state.options.self);

/** The other validators. */
export const others = (state: RaftState): string[] => state.members.filter((key) => key !== state.options.self);

/** Something waits for a block: transactions, a root to certify, a change of validators, a leader that is gone, a candidate. */
export function hasWork({ tip, pooled, leaderDown, asked }: RaftState): boolean {
  if (tip === undefined) return false;
  const same = (a: ChainTip['validators'], b: ChainTip['validators']): boolean =>
    a.validators.length === b.validators.length &&
    a.validators.every(
      ({ publicKey }, index) => toHex(publicKey) === toHex(b.validators[index]?.publicKey ?? publicKey),
    );
  return pooled || leaderDown || asked || !tip.rootCertified || !same(tip.validators, tip.nextValidators);
}

export function send(state: RaftState, to: readonly string[], message: RaftMessage): void {
  const reachable = to.filter((key) => key !== state.options.self);
  if (reachable.length > 0) state.effects.push({ type: 'send', to: reachable, message });
}

export function clearTimer(state: RaftState, timer: 'election' | 'resend'): void {
  if (timer === 'election') state.timerSet = false;
  state.effects.push({ type: 'clear-timer', timer });
}

/** Follows a leader from now on, and says so where it is news. */
export function follow(state: RaftState, leader: string, round: number): void {
  if (state.leader === leader && state.round === round) return;
  state.leader = leader;
  state.round = round;
  state.effects.push({ type: 'round', height: state.height, round, leader });
}
