import { sameBytes } from '../schema/index.js';
import type { Genesis } from './genesis.js';
import { policyOf, MAX_EVICTED, type EvictedMember, type Learner, type SystemState } from './system-state.js';
import { faultTolerance, validatorIndex, type Validator } from './validator-set.js';

/** Codes in receipts of membership transactions. */
export const MEMBERSHIP_CODES = {
  done: 0,
  /** No change is named. */
  empty: 1,
  /** The sender is not a validator of the last scheduled set. */
  notValidator: 2,
  /** The admission policy of the network does not admit the joiner. */
  notAdmitted: 3,
  /** The joiner did not sign. */
  signature: 4,
  alreadyMember: 5,
  /** As many learners, validators or allowed keys as there may be. */
  full: 6,
  notLearner: 7,
  /** The growth policy forbids the resulting number of validators. */
  growth: 8,
  notMember: 9,
  /** Fewer validators would be left than the network demands. */
  tooFew: 10,
  /** No proposal of this id waits for votes. */
  noProposal: 11,
  /** The same is proposed already. */
  duplicate: 12,
  /** As many proposals wait as may, in all or of the sender. */
  tooManyProposals: 13,
  /** The evidence does not prove an equivocation, or not one that counts. */
  evidence: 14,
  /** The joiner was evicted: only a vote brings it back. */
  evicted: 15,
  /** The policy would be what it is. */
  noChange: 16,
} as const;

/** What came of a membership transaction: the new state, or the old one and a code with a reason. */
export interface MembershipOutcome {
  readonly state: SystemState;
  readonly code: number;
  /** Why it was refused; where it was done, what the network should know of it, or empty. */
  readonly message: string;
}

/** Where a membership transaction is executed. */
export interface MembershipTerms {
  readonly genesis: Genesis;
  readonly network: Uint8Array;
  /** Height of the block. */
  readonly height: number;
}

/** A done change. */
export const done = (state: SystemState, message = ''): MembershipOutcome => ({
  state,
  code: MEMBERSHIP_CODES.done,
  message,
});

/** A change that is refused: nothing is changed. */
export const refuse = (
  state: SystemState,
  what: Exclude<keyof typeof MEMBERSHIP_CODES, 'done'>,
  reason: string,
): MembershipOutcome => ({ state, code: MEMBERSHIP_CODES[what], message: reason });

export const learnerIndex = (state: SystemState, publicKey: Uint8Array): number =>
  state.learners.findIndex((learner) => sameBytes(learner.publicKey, publicKey));

/** True where the growth policy allows a set of this size. */
export const growthAllows = (state: SystemState, genesis: Genesis, size: number): boolean =>
  policyOf(state, genesis).growth !== 'skip-two' || size !== 2;

/** The eviction of a key, where it is remembered and no vote has admitted it again. */
export const standingEviction = (state: SystemState, publicKey: Uint8Array): EvictedMember | undefined =>
  state.evicted.find((one) => one.readmitted === 0 && sameBytes(one.publicKey, publicKey));

/** Adds a learner. The caller has found out that it may be one. */
export function addLearner(state: SystemState, publicKey: Uint8Array, name: string): SystemState {
  const learner: Learner = { publicKey, name, sequence: state.nextSequence };
  return { ...state, learners: [...state.learners, learner], nextSequence: state.nextSequence + 1 };
}

/**
 * Takes a member out, as validator or learner: the floor is judged on the last scheduled set, which is what the changes
 * before in the block have left. The message tells where fewer Byzantine validators are tolerated from now on.
 */
export function removeMember(state: SystemState, publicKey: Uint8Array, genesis: Genesis): MembershipOutcome {
  const learner = learnerIndex(state, publicKey);
  if (learner >= 0) return done({ ...state, learners: state.learners.filter((_, index) => index !== learner) });
  const at = validatorIndex(state, publicKey);
  if (at < 0) return refuse(state, 'notMember', 'this key is no member');
  const validators = state.validators.filter((_, index) => index !== at);
  const least = Math.max(1, genesis.minValidators);
  if (validators.length < least) return refuse(state, 'tooFew', `fewer than ${least} validators would be left`);
  if (!growthAllows(state, genesis, validators.length)) {
    return refuse(
      state,
      'growth',
      'two validators would be left, and then either one down stops the chain: promote another first',
    );
  }
  return done({ ...state, validators }, toleranceMessage(state.validators, validators));
}

function toleranceMessage(before: readonly Validator[], after: readonly Validator[]): string {
  const [was, is] = [faultTolerance(before.length), faultTolerance(after.length)];
  if (is >= was) return '';
  return `with ${after.length} instead of ${before.length} validators, ${is} instead of ${was} Byzantine ones are tolerated`;
}

/** Takes a member out and remembers that it was evicted. */
export function evict(
  state: SystemState,
  publicKey: Uint8Array,
  reason: string,
  { genesis, height }: MembershipTerms,
): MembershipOutcome {
  const removed = removeMember(state, publicKey, genesis);
  if (removed.code !== MEMBERSHIP_CODES.done) return { ...removed, state };
  const others = state.evicted.filter((one) => !sameBytes(one.publicKey, publicKey)).slice(1 - MAX_EVICTED);
  const evicted = [...others, { publicKey, height, reason, readmitted: 0 }];
  return done({ ...removed.state, evicted }, removed.message);
}
