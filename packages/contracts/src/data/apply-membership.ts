import { sameBytes } from '../schema/index.js';
import { evidenceHolds, evidenceProblem, type EquivocationEvidence } from './evidence.js';
import { joinSigningBytes, type MemberJoin, type MemberPromote, type Membership } from './membership.js';
import {
  MEMBERSHIP_CODES,
  addLearner,
  done,
  evict,
  growthAllows,
  learnerIndex,
  refuse,
  removeMember,
  standingEviction,
  type MembershipOutcome,
  type MembershipTerms,
} from './membership-change.js';
import { propose, vote, withoutExpired } from './member-proposals.js';
import { verifySignature } from './signing.js';
import { MAX_LEARNERS, MAX_VALIDATORS, policyOf, type SystemState } from './system-state.js';
import { validatorIndex } from './validator-set.js';

/** A membership transaction as it is executed. */
export interface MembershipChange {
  /** Id of the transaction, 32 bytes: that of the proposal it makes. */
  readonly id: Uint8Array;
  readonly sender: Uint8Array;
  readonly membership: Membership;
}

/**
 * Executes one membership transaction. A pure function of its arguments; each transaction of a block is judged on the
 * set that the ones before it in the block have left.
 */
export function applyMembership(state: SystemState, change: MembershipChange, terms: MembershipTerms): MembershipOutcome {
  const outcome = apply(withoutExpired(state, terms.height), change, terms);
  return outcome.code === MEMBERSHIP_CODES.done ? outcome : { ...outcome, state };
}

function apply(state: SystemState, change: MembershipChange, terms: MembershipTerms): MembershipOutcome {
  const { sender, membership } = change;
  if (membership.leave !== undefined) return removeMember(state, sender, terms.genesis);
  if (Object.values(membership).every((one) => one === undefined)) return refuse(state, 'empty', 'no change is named');
  if (validatorIndex(state, sender) < 0) return refuse(state, 'notValidator', 'the sender is not a validator');
  if (membership.join !== undefined) return join(state, membership.join, terms);
  if (membership.promote !== undefined) return promote(state, membership.promote, terms);
  if (membership.propose !== undefined) return propose(state, change, membership.propose, terms);
  if (membership.vote !== undefined) return vote(state, sender, membership.vote, terms);
  return membership.accuse === undefined
    ? refuse(state, 'empty', 'no change is named')
    : accuse(state, membership.accuse.evidence, terms);
}

function join(
  state: SystemState,
  { publicKey, name, signature }: MemberJoin,
  { genesis, network }: MembershipTerms,
): MembershipOutcome {
  const { admission, allowlist } = policyOf(state, genesis);
  if (admission === 'vote') return refuse(state, 'notAdmitted', 'the validators vote on who is admitted');
  if (admission === 'allowlist' && !allowlist.some((key) => sameBytes(key, publicKey))) {
    return refuse(state, 'notAdmitted', 'the joiner is not on the allowlist of the network');
  }
  if (validatorIndex(state, publicKey) >= 0 || learnerIndex(state, publicKey) >= 0) {
    return refuse(state, 'alreadyMember', 'the joiner is a member already');
  }
  const eviction = standingEviction(state, publicKey);
  if (eviction !== undefined) {
    return refuse(state, 'evicted', `the joiner was evicted at height ${eviction.height}: only a vote brings it back`);
  }
  if (state.learners.length >= MAX_LEARNERS) return refuse(state, 'full', `there are ${MAX_LEARNERS} learners already`);
  // Last, because it is the dear one: only a validator's transaction comes this far.
  if (!verifySignature(publicKey, joinSigningBytes(network, publicKey, name), signature)) {
    return refuse(state, 'signature', 'the signature of the joiner is not valid');
  }
  return done(addLearner(state, publicKey, name));
}

function promote(state: SystemState, { publicKeys }: MemberPromote, { genesis }: MembershipTerms): MembershipOutcome {
  if (publicKeys.length === 0) return refuse(state, 'empty', 'nobody is named');
  const chosen = new Set<number>();
  for (const publicKey of publicKeys) {
    const index = learnerIndex(state, publicKey);
    if (index < 0 || chosen.has(index)) {
      return refuse(state, 'notLearner', 'one of the named is no learner, or named twice');
    }
    chosen.add(index);
  }
  const promoted = state.learners.filter((_, index) => chosen.has(index));
  const validators = [
    ...state.validators,
    ...promoted.map(({ publicKey, sequence }) => ({ publicKey, sequence })),
  ].sort((a, b) => a.sequence - b.sequence);
  if (validators.length > MAX_VALIDATORS) return refuse(state, 'full', `more than ${MAX_VALIDATORS} validators`);
  if (!growthAllows(state, genesis, validators.length)) {
    return refuse(
      state,
      'growth',
      'two validators would be left, and then either one down stops the chain: promote two at once',
    );
  }
  return done({ ...state, validators, learners: state.learners.filter((_, index) => !chosen.has(index)) });
}

/** Evicts a validator whose two votes exclude each other; the proof is checked by everybody who executes the block. */
function accuse(state: SystemState, evidence: EquivocationEvidence, terms: MembershipTerms): MembershipOutcome {
  const { publicKey, height, round, type } = evidence;
  const problem = evidenceProblem(evidence);
  if (problem !== undefined) return refuse(state, 'evidence', problem);
  if (validatorIndex(state, publicKey) < 0) return refuse(state, 'notMember', 'the accused is not a validator');
  const forgiven = state.evicted.find((one) => sameBytes(one.publicKey, publicKey))?.readmitted ?? 0;
  if (height <= Math.max(forgiven, terms.height - terms.genesis.window - 1)) {
    return refuse(state, 'evidence', `the votes are of height ${height}, which is too long ago or forgiven`);
  }
  const outcome = evict(state, publicKey, `signed two ${type} votes at height ${height}, round ${round}`, terms);
  if (outcome.code !== MEMBERSHIP_CODES.done) return outcome;
  // Last, because it is the dear one.
  if (!evidenceHolds(terms.network, evidence)) return refuse(state, 'evidence', 'a signature is not valid');
  return outcome;
}
