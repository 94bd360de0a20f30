import {
  faultTolerance,
  nodeIdOf,
  quorumOf,
  sameBytes,
  toHex,
  validatorIndex,
  type Call,
  type ConsensusReply,
  type ConsensusStatus,
  type Infer,
  type MemberProposal,
  type MembersAnswer,
  type MembersReply,
  type Peer,
  type ProposalReply,
} from '@it-chain/contracts';
import type { HandlerContext, UnaryHandlers } from './handlers.js';
import { ifFounded } from './network-facts.js';
import { submitMembership } from './sign-and-submit.js';

type PeerNames = ReadonlyMap<string, Infer<typeof Peer>>;

/** Who belongs to the network, what is voted on, and how the validators stand. */
export function memberHandlers({
  dependencies,
}: HandlerContext): Pick<
  UnaryHandlers,
  'getMembers' | 'getConsensus' | 'getEvidence' | 'proposeChange' | 'voteOnProposal' | 'accuseMember'
> {
  const { chain, consensus, p2p } = dependencies;

  const peersByKey = async (call: Call): Promise<PeerNames> => {
    const { peers } = await p2p.list({}, call);
    return new Map(peers.map((peer) => [toHex(peer.publicKey), peer]));
  };

  return {
    getMembers: async (_request, call) => {
      const [members, peers] = await Promise.all([chain.members({}, call), peersByKey(call)]);
      return membersReply(members, peers);
    },
    getConsensus: async (_request, call) => {
      const [status, tip, peers, { entries }] = await Promise.all([
        consensus.status({}, call),
        ifFounded(() => chain.tip({}, call)),
        peersByKey(call),
        consensus.evidence({}, call),
      ]);
      const self = dependencies.context.identity.publicKey;
      return consensusReply(status, {
        self,
        peers,
        inSet: tip?.validators.validators.length ?? 0,
        evidence: entries.length,
      });
    },
    getEvidence: (_request, call) => consensus.evidence({}, call),
    proposeChange: (propose, call) => submitMembership(dependencies, { propose }, call),
    voteOnProposal: (vote, call) => submitMembership(dependencies, { vote }, call),
    accuseMember: (accuse, call) => submitMembership(dependencies, { accuse }, call),
  };
}

/** What the engine says, with names. `inSet`: validators of the open height, for an engine that names no views. */
function consensusReply(
  status: ConsensusStatus,
  about: { readonly self: Uint8Array; readonly peers: PeerNames; readonly inSet: number; readonly evidence: number },
): ConsensusReply {
  const views = status.views.map((view) => {
    const self = sameBytes(view.publicKey, about.self);
    const peer = about.peers.get(toHex(view.publicKey));
    return {
      nodeId: nodeIdOf(view.publicKey),
      name: peer?.name ?? '',
      publicKey: view.publicKey,
      self,
      present: view.present ?? (self || peer?.connected === true),
      missingSince: view.missingSince ?? 0,
      height: view.height,
      round: view.round,
      seen: view.seen,
    };
  });
  const n = views.length === 0 ? about.inSet : views.length;
  return {
    height: status.height,
    round: status.round,
    leader: status.leader.length === 32 ? nodeIdOf(status.leader) : '',
    validators: n,
    quorum: status.quorum,
    present: views.length === 0 ? n : views.filter(({ present }) => present).length,
    tolerated: n === 0 ? 0 : faultTolerance(n),
    validator: status.validator,
    views,
    waiting: status.waiting,
    working: status.working ?? false,
    since: status.since ?? 0,
    complaint: status.complaint ?? '',
    evidence: about.evidence,
  };
}

function membersReply(members: MembersAnswer, peers: PeerNames): MembersReply {
  const { height, validators: present, state, policy, minValidators, leaderTerm } = members;
  const shown = (publicKey: Uint8Array, sequence: number, name: string, learner: boolean) => {
    const peer = peers.get(toHex(publicKey));
    const isValidator = !learner && validatorIndex(present, publicKey) >= 0;
    return {
      nodeId: nodeIdOf(publicKey),
      publicKey,
      name: name === '' ? (peer?.name ?? '') : name,
      role: isValidator ? ('validator' as const) : ('learner' as const),
      sequence,
      connected: peer?.connected === true || peer?.self === true,
    };
  };
  const n = state.validators.length;
  return {
    height,
    members: [
      ...state.validators.map(({ publicKey, sequence }) => shown(publicKey, sequence, '', false)),
      ...state.learners.map(({ publicKey, sequence, name }) => shown(publicKey, sequence, name, true)),
    ],
    quorum: quorumOf(n),
    validators: n,
    tolerated: faultTolerance(n),
    policy,
    minValidators,
    leaderTerm,
    proposals: state.proposals.map((proposal) => proposalReply(proposal, state)),
    evicted: state.evicted,
  };
}

/** Only the votes of present validators count, so only they are shown. */
function proposalReply(
  { id, proposer, action, expiresAt, votes }: MemberProposal,
  { validators }: MembersAnswer['state'],
): ProposalReply {
  const voters = (approve: boolean): string[] =>
    validators
      .filter(({ sequence }) => votes.some((vote) => vote.sequence === sequence && vote.approve === approve))
      .map(({ publicKey }) => nodeIdOf(publicKey));
  return {
    id,
    proposer: nodeIdOf(proposer),
    action,
    expiresAt,
    approvals: voters(true),
    rejections: voters(false),
  };
}
