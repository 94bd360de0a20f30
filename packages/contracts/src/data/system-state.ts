import { bool, bytes, choice, message, nested, optional, repeated, string, uint64, type Infer } from '../schema/index.js';
import { concatBytes, sha256, utf8 } from './hash.js';
import { ADMISSIONS, GROWTHS, genesisValidators, type Genesis } from './genesis.js';
import { MemberAction } from './membership.js';
import { Validator, type ValidatorSet } from './validator-set.js';

/** A learner: admitted, not yet a validator. */
export const Learner = message('Learner', {
  publicKey: bytes(1, { length: 32 }),
  name: string(2, { maxLength: 64 }),
  sequence: uint64(3),
});
export type Learner = Infer<typeof Learner>;

/** Most validators and most learners of a network. */
export const MAX_VALIDATORS = 100;
/** Most learners of a network. */
export const MAX_LEARNERS = 1_000;
/** Most keys on the allowlist. */
export const MAX_ALLOWED = 1_000;
/** Most proposals that wait for votes, and most of one validator. */
export const MAX_PROPOSALS = 100;
/** Most proposals of one validator that wait for votes. */
export const MAX_PROPOSALS_EACH = 8;
/** Evicted keys that are remembered; the oldest is forgotten. */
export const MAX_EVICTED = 256;
/** Heights for which a proposal may be voted on, where the window of the network is not smaller. */
export const PROPOSAL_HEIGHTS = 10_000;

/** The policy of a network once a vote has changed what its genesis says. */
export const MembershipPolicy = message('MembershipPolicy', {
  admission: choice(1, 'Admission', ADMISSIONS),
  /** Public keys admitted under `allowlist`. */
  allowlist: repeated(bytes(2, { length: 32 }), { maxItems: MAX_ALLOWED }),
  growth: choice(3, 'Growth', GROWTHS),
});
export type MembershipPolicy = Infer<typeof MembershipPolicy>;

/** One vote on a proposal. */
export const ProposalVote = message('ProposalVote', {
  /** Join sequence number of the validator: one that leaves and comes back votes anew. */
  sequence: uint64(1),
  approve: bool(2),
});
export type ProposalVote = Infer<typeof ProposalVote>;

/** An action that waits for the votes of the validators. */
export const MemberProposal = message('MemberProposal', {
  /** Id of the transaction that proposed it. */
  id: bytes(1, { length: 32 }),
  /** Key of the validator that proposed it. */
  proposer: bytes(2, { length: 32 }),
  action: nested(3, MemberAction),
  /** The last height at which it may be voted on. */
  expiresAt: uint64(4),
  votes: repeated(nested(5, ProposalVote), { maxItems: 1_000 }),
});
export type MemberProposal = Infer<typeof MemberProposal>;

/** A key that was taken out of the network. It comes back by a vote only. */
export const EvictedMember = message('EvictedMember', {
  publicKey: bytes(1, { length: 32 }),
  /** Height of the block that evicted it. */
  height: uint64(2),
  reason: string(3, { maxLength: 256 }),
  /** Height at which a vote admitted it again, else 0. What it signed up to there is forgiven. */
  readmitted: uint64(4),
});
export type EvictedMember = Infer<typeof EvictedMember>;

/**
 * What the chain itself keeps as state: who is a member, and how members change. After block h it holds the last scheduled
 * set, which is V(h+2); V(h+1) is in the header that follows. Canonical.
 */
export const SystemState = message('SystemState', {
  /** V(h+2), in the order of their sequence numbers. */
  validators: repeated(nested(1, Validator), { maxItems: MAX_VALIDATORS }),
  /** In the order of their sequence numbers. */
  learners: repeated(nested(2, Learner), { maxItems: MAX_LEARNERS }),
  /** Given to the next that joins; never given twice. */
  nextSequence: uint64(3),
  /** Absent while the policy is that of the genesis; see {@link policyOf}. */
  policy: optional(nested(4, MembershipPolicy)),
  /** In the order of their proposing; those that have expired go with the next change. */
  proposals: repeated(nested(5, MemberProposal), { maxItems: MAX_PROPOSALS }),
  /** In the order of their eviction. */
  evicted: repeated(nested(6, EvictedMember), { maxItems: MAX_EVICTED }),
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
  return { validators, learners: [], nextSequence: validators.length, proposals: [], evicted: [] };
}

/** The policy that holds: of the last vote that changed it, else of the genesis. */
export function policyOf({ policy }: SystemState, { admission, allowlist, growth }: Genesis): MembershipPolicy {
  return policy ?? { admission, allowlist, growth };
}

/** The scheduled set of a system state. */
export const scheduledSet = (state: SystemState): ValidatorSet => ({ validators: state.validators });
