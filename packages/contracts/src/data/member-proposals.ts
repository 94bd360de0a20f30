import { sameBytes } from '../schema/index.js';
import { MemberAction, type MemberPropose, type MemberVote, type PolicyChange } from './membership.js';
import {
  MEMBERSHIP_CODES,
  addLearner,
  done,
  evict,
  learnerIndex,
  refuse,
  type MembershipOutcome,
  type MembershipTerms,
} from './membership-change.js';
import {
  MAX_ALLOWED,
  MAX_LEARNERS,
  MAX_PROPOSALS,
  MAX_PROPOSALS_EACH,
  MembershipPolicy,
  PROPOSAL_HEIGHTS,
  policyOf,
  type MemberProposal,
  type SystemState,
} from './system-state.js';
import { quorumOf, validatorIndex } from './validator-set.js';

/** The state without the proposals that may no longer be voted on at this height. */
export function withoutExpired(state: SystemState, height: number): SystemState {
  const proposals = state.proposals.filter(({ expiresAt }) => expiresAt >= height);
  return proposals.length === state.proposals.length ? state : { ...state, proposals };
}

/** How the votes on a proposal stand: only those of present validators count. */
export function tally(state: SystemState, { votes }: MemberProposal): { approvals: number; rejections: number } {
  const present = new Set(state.validators.map(({ sequence }) => sequence));
  const cast = votes.filter(({ sequence }) => present.has(sequence));
  const approvals = cast.filter(({ approve }) => approve).length;
  return { approvals, rejections: cast.length - approvals };
}

/** Puts an action to the vote. The sender is a validator. */
export function propose(
  state: SystemState,
  { id, sender }: { readonly id: Uint8Array; readonly sender: Uint8Array },
  { action, approve }: MemberPropose,
  terms: MembershipTerms,
): MembershipOutcome {
  const same = state.proposals.find((one) => sameBytes(subjectOf(one.action), subjectOf(action)));
  if (same !== undefined) {
    return refuse(state, 'duplicate', `the same is proposed already, as ${Buffer.from(same.id).toString('hex')}: vote on that`);
  }
  // What could not be done now is not put to the vote: nobody has to find that out one vote at a time.
  const trial = execute(state, action, terms);
  if (trial.code !== MEMBERSHIP_CODES.done) return { ...trial, state };
  const own = state.proposals.filter(({ proposer }) => sameBytes(proposer, sender)).length;
  if (state.proposals.length >= MAX_PROPOSALS || own >= MAX_PROPOSALS_EACH) {
    return refuse(
      state,
      'tooManyProposals',
      `${state.proposals.length} proposals wait, ${own} of them of the sender; ${MAX_PROPOSALS} and ${MAX_PROPOSALS_EACH} may`,
    );
  }
  const expiresAt = terms.height + Math.min(terms.genesis.window, PROPOSAL_HEIGHTS);
  const proposal: MemberProposal = { id, proposer: sender, action, expiresAt, votes: [] };
  const proposed = { ...state, proposals: [...state.proposals, proposal] };
  return approve ? vote(proposed, sender, { proposal: id, approve }, terms) : done(proposed);
}

/** Counts a vote, and does what was proposed with the one that completes the quorum. The sender is a validator. */
export function vote(
  state: SystemState,
  sender: Uint8Array,
  { proposal: id, approve }: MemberVote,
  terms: MembershipTerms,
): MembershipOutcome {
  const proposal = state.proposals.find((one) => sameBytes(one.id, id));
  const voter = state.validators[validatorIndex(state, sender)];
  if (proposal === undefined || voter === undefined) {
    return refuse(state, 'noProposal', 'no proposal of this id waits for votes: it is done, rejected or expired');
  }
  // Votes of those who have left since go here, which bounds the list.
  const others = state.validators.flatMap(({ sequence }) =>
    sequence === voter.sequence ? [] : proposal.votes.filter((one) => one.sequence === sequence),
  );
  const votes = [...others, { sequence: voter.sequence, approve }].sort((a, b) => a.sequence - b.sequence);
  const voted: MemberProposal = { ...proposal, votes };
  const rest = { ...state, proposals: state.proposals.filter((one) => one !== proposal) };
  const { approvals, rejections } = tally(state, voted);
  const n = state.validators.length;
  const quorum = quorumOf(n);
  if (approvals >= quorum) {
    const outcome = execute(rest, proposal.action, terms);
    return outcome.code === MEMBERSHIP_CODES.done ? outcome : { ...outcome, state };
  }
  if (!approve && sameBytes(sender, proposal.proposer)) return done(rest, 'the proposal is withdrawn');
  if (rejections > n - quorum) return done(rest, 'the proposal is rejected');
  const proposals = state.proposals.map((one) => (one === proposal ? voted : one));
  return done({ ...state, proposals }, `${approvals} of ${quorum} approvals`);
}

/** Does what a quorum has approved. */
function execute(state: SystemState, action: MemberAction, terms: MembershipTerms): MembershipOutcome {
  const { admit: admission, evict: eviction, policy } = action;
  if (admission !== undefined) return admit(state, admission.publicKey, admission.name, terms);
  if (eviction !== undefined) return evict(state, eviction.publicKey, eviction.reason, terms);
  return policy === undefined ? refuse(state, 'empty', 'no action is named') : changePolicy(state, policy, terms);
}

function admit(
  state: SystemState,
  publicKey: Uint8Array,
  name: string,
  { height }: MembershipTerms,
): MembershipOutcome {
  if (validatorIndex(state, publicKey) >= 0 || learnerIndex(state, publicKey) >= 0) {
    return refuse(state, 'alreadyMember', 'the joiner is a member already');
  }
  if (state.learners.length >= MAX_LEARNERS) return refuse(state, 'full', `there are ${MAX_LEARNERS} learners already`);
  const evicted = state.evicted.map((one) =>
    sameBytes(one.publicKey, publicKey) ? { ...one, readmitted: height } : one,
  );
  return done(addLearner({ ...state, evicted }, publicKey, name));
}

function changePolicy(state: SystemState, change: PolicyChange, { genesis }: MembershipTerms): MembershipOutcome {
  const present = policyOf(state, genesis);
  const kept = present.allowlist.filter((key) => !holds(change.disallow, key));
  const added = change.allow.filter((key, index) => !holds(kept, key) && !holds(change.allow.slice(0, index), key));
  const allowlist = [...kept, ...added];
  if (allowlist.length > MAX_ALLOWED) return refuse(state, 'full', `more than ${MAX_ALLOWED} keys on the allowlist`);
  const policy: MembershipPolicy = {
    admission: change.admission ?? present.admission,
    growth: change.growth ?? present.growth,
    allowlist,
  };
  if (sameBytes(MembershipPolicy.encode(policy), MembershipPolicy.encode(present))) {
    return refuse(state, 'noChange', 'the policy is like that already');
  }
  return done({ ...state, policy });
}

const holds = (keys: readonly Uint8Array[], key: Uint8Array): boolean => keys.some((one) => sameBytes(one, key));

/** What an action is about, whatever name or reason it gives: two proposals of one subject would be voted on twice. */
function subjectOf({ admit: admission, evict: eviction, policy }: MemberAction): Uint8Array {
  return MemberAction.encode({
    admit: admission && { publicKey: admission.publicKey, name: '' },
    evict: eviction && { publicKey: eviction.publicKey, reason: '' },
    policy,
  });
}
