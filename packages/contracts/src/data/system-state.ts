import { bytes, message, nested, repeated, sameBytes, string, uint64, type Infer } from '../schema/index.js';
import { concatBytes, sha256, utf8 } from './hash.js';
import { verifySignature } from './signing.js';
import { genesisValidators, type Genesis } from './genesis.js';
import { joinSigningBytes, type MemberJoin, type MemberPromote, type Membership } from './membership.js';
import { Validator, validatorIndex, type ValidatorSet } from './validator-set.js';

/** A learner: admitted, not yet a validator. */
export const Learner = message('Learner', {
  publicKey: bytes(1, { length: 32 }),
  name: string(2, { maxLength: 64 }),
  sequence: uint64(3),
});
export type Learner = Infer<typeof Learner>;

/** Most validators and most learners of a network. */
export const MAX_VALIDATORS = 100;
export const MAX_LEARNERS = 1_000;

/**
 * What the chain itself keeps as state: who is a member. After block h it holds the last scheduled set, which is
 * V(h+2); V(h+1) is in the header that follows. Canonical.
 */
export const SystemState = message('SystemState', {
  /** V(h+2), in the order of their sequence numbers. */
  validators: repeated(nested(1, Validator), { maxItems: MAX_VALIDATORS }),
  /** In the order of their sequence numbers. */
  learners: repeated(nested(2, Learner), { maxItems: MAX_LEARNERS }),
  /** Given to the next that joins; never given twice. */
  nextSequence: uint64(3),
});
export type SystemState = Infer<typeof SystemState>;

const SYSTEM_TAG = utf8('it-chain/system/1');

/** SHA-256 of the tag and the canonical system state, 32 bytes. */
export const systemRootOf = (state: SystemState): Uint8Array =>
  sha256(concatBytes(SYSTEM_TAG, SystemState.encode(state)));

/** The state root in headers: SHA-256 of the system root and the application root, 32 bytes. */
export const stateRootOf = (systemRoot: Uint8Array, applicationRoot: Uint8Array): Uint8Array =>
  sha256(concatBytes(systemRoot, applicationRoot));

/** The system state before block 1. */
export function genesisSystemState(genesis: Genesis): SystemState {
  const { validators } = genesisValidators(genesis);
  return { validators, learners: [], nextSequence: validators.length };
}

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
  /** As many learners or validators as there may be. */
  full: 6,
  notLearner: 7,
  /** The growth policy forbids the resulting number of validators. */
  growth: 8,
  notMember: 9,
  /** Fewer validators would be left than the network demands. */
  tooFew: 10,
} as const;

/** What came of a membership transaction: the new state, or the old one and a code with a reason. */
export interface MembershipOutcome {
  readonly state: SystemState;
  readonly code: number;
  readonly message: string;
}

/**
 * Executes one membership transaction. A pure function of its arguments; each transaction of a block is judged on the
 * set that the ones before it in the block have left.
 */
export function applyMembership(
  state: SystemState,
  sender: Uint8Array,
  membership: Membership,
  genesis: Genesis,
  network: Uint8Array,
): MembershipOutcome {
  const refuse = (what: keyof typeof MEMBERSHIP_CODES, reason: string): MembershipOutcome => ({
    state,
    code: MEMBERSHIP_CODES[what],
    message: reason,
  });
  if (membership.leave !== undefined) return leave(state, sender, genesis, refuse);
  if (membership.join === undefined && membership.promote === undefined) return refuse('empty', 'no change is named');
  if (validatorIndex(state, sender) < 0) return refuse('notValidator', 'the sender is not a validator');
  if (membership.join !== undefined) return join(state, membership.join, genesis, network, refuse);
  return membership.promote === undefined
    ? refuse('empty', 'no change is named')
    : promote(state, membership.promote, genesis, refuse);
}

type Refuse = (what: keyof typeof MEMBERSHIP_CODES, reason: string) => MembershipOutcome;
const done = (state: SystemState): MembershipOutcome => ({ state, code: MEMBERSHIP_CODES.done, message: '' });

function join(
  state: SystemState,
  { publicKey, name, signature }: MemberJoin,
  genesis: Genesis,
  network: Uint8Array,
  refuse: Refuse,
): MembershipOutcome {
  if (genesis.admission === 'vote') return refuse('notAdmitted', 'admission by vote of the validators is not there yet');
  if (genesis.admission === 'allowlist' && !genesis.allowlist.some((key) => sameBytes(key, publicKey))) {
    return refuse('notAdmitted', 'the joiner is not on the allowlist of the genesis');
  }
  if (validatorIndex(state, publicKey) >= 0 || learnerIndex(state, publicKey) >= 0) {
    return refuse('alreadyMember', 'the joiner is a member already');
  }
  if (state.learners.length >= MAX_LEARNERS) return refuse('full', `there are ${MAX_LEARNERS} learners already`);
  // Last, because it is the dear one: only a validator's transaction comes this far.
  if (!verifySignature(publicKey, joinSigningBytes(network, publicKey, name), signature)) {
    return refuse('signature', 'the signature of the joiner is not valid');
  }
  const learner: Learner = { publicKey, name, sequence: state.nextSequence };
  return done({ ...state, learners: [...state.learners, learner], nextSequence: state.nextSequence + 1 });
}

function promote(state: SystemState, { publicKeys }: MemberPromote, genesis: Genesis, refuse: Refuse): MembershipOutcome {
  if (publicKeys.length === 0) return refuse('empty', 'nobody is named');
  const chosen = new Set<number>();
  for (const publicKey of publicKeys) {
    const index = learnerIndex(state, publicKey);
    if (index < 0 || chosen.has(index)) return refuse('notLearner', 'one of the named is no learner, or named twice');
    chosen.add(index);
  }
  const promoted = state.learners.filter((_, index) => chosen.has(index));
  const validators = [
    ...state.validators,
    ...promoted.map(({ publicKey, sequence }) => ({ publicKey, sequence })),
  ].sort((a, b) => a.sequence - b.sequence);
  if (validators.length > MAX_VALIDATORS) return refuse('full', `more than ${MAX_VALIDATORS} validators`);
  if (!growthAllows(genesis, validators.length)) {
    return refuse('growth', 'two validators would be left, and then either one down stops the chain: promote two at once');
  }
  return done({ ...state, validators, learners: state.learners.filter((_, index) => !chosen.has(index)) });
}

function leave(state: SystemState, sender: Uint8Array, genesis: Genesis, refuse: Refuse): MembershipOutcome {
  const learner = learnerIndex(state, sender);
  if (learner >= 0) return done({ ...state, learners: state.learners.filter((_, index) => index !== learner) });
  const at = validatorIndex(state, sender);
  if (at < 0) return refuse('notMember', 'the sender is no member');
  const validators = state.validators.filter((_, index) => index !== at);
  const least = Math.max(1, genesis.minValidators);
  if (validators.length < least) return refuse('tooFew', `fewer than ${least} validators would be left`);
  if (!growthAllows(genesis, validators.length)) {
    return refuse('growth', 'two validators would be left, and then either one down stops the chain: promote another first');
  }
  return done({ ...state, validators });
}

const growthAllows = (genesis: Genesis, size: number): boolean => genesis.growth !== 'skip-two' || size !== 2;

const learnerIndex = (state: SystemState, publicKey: Uint8Array): number =>
  state.learners.findIndex((learner) => sameBytes(learner.publicKey, publicKey));

/** The scheduled set of a system state. */
export const scheduledSet = (state: SystemState): ValidatorSet => ({ validators: state.validators });
