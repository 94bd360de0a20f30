import { MemberAccuse, MemberPropose, MemberVote } from '../data/membership.js';
import { TransactionProof } from '../roles/chain.js';
import { KeptEvidenceList } from '../roles/consensus.js';
import * as m from './messages.js';
import { defineService, method } from './service.js';

/**
 * The client API, `itchain.v1.Node`. Errors carry code and hint in the status details (google.rpc.ErrorInfo in
 * `grpc-status-details-bin`) and as JSON in the trailer `it-chain-error`.
 */
export const NodeService = defineService('itchain.v1', 'Node', {
  submit: method({
    doc: 'Takes signed transactions in; answered when they are durable.',
    in: m.SubmitRequest,
    out: m.SubmitResponse,
  }),
  submitStream: method({
    doc: 'The same for a stream of batches; one answer per batch, in order.',
    in: m.SubmitRequest,
    out: m.SubmitResponse,
    requestStream: true,
    responseStream: true,
  }),
  signAndSubmit: method({
    doc: 'Signs a payload with the key of the node and submits it.',
    in: m.SignAndSubmitRequest,
    out: m.TransactionStatus,
    admin: true,
  }),
  getTransaction: method({ doc: 'Where a transaction stands.', in: m.TransactionRequest, out: m.TransactionStatus }),
  watchTransaction: method({
    doc: 'Every change of it until it is committed or rejected.',
    in: m.TransactionRequest,
    out: m.TransactionStatus,
    responseStream: true,
  }),
  proveTransaction: method({
    doc: 'The offline proof that a transaction is in the chain.',
    in: m.TransactionRequest,
    out: TransactionProof,
  }),
  getBlock: method({ doc: 'One block with its certificate.', in: m.GetBlockRequest, out: m.BlockReply }),
  getBlocks: method({ doc: 'Blocks from a height on.', in: m.GetBlocksRequest, out: m.BlocksReply }),
  followBlocks: method({
    doc: 'Blocks from a height on, and every new one.',
    in: m.FollowBlocksRequest,
    out: m.BlockReply,
    responseStream: true,
  }),
  queryState: method({
    doc: 'Asks the application, with a proof where wanted.',
    in: m.QueryStateRequest,
    out: m.QueryStateReply,
  }),
  getPeers: method({ doc: 'The peer table.', in: m.Done, out: m.PeersReply }),
  getLeader: method({ doc: 'The leader of the open height.', in: m.Done, out: m.LeaderReply }),
  getValidators: method({ doc: 'The validators of a height.', in: m.GetValidatorsRequest, out: m.ValidatorsReply }),
  getStatus: method({ doc: 'The node at a glance.', in: m.Done, out: m.StatusReply }),
  getGenesis: method({ doc: 'The genesis, or the candidate of an unfounded node.', in: m.Done, out: m.GenesisReply }),
  followEvents: method({
    doc: 'The events of the bus of the node.',
    in: m.FollowEventsRequest,
    out: m.EventReply,
    responseStream: true,
  }),
  getMetrics: method({ doc: 'All metrics as Prometheus text.', in: m.Done, out: m.MetricsReply }),
  verifyStore: method({ doc: 'Checks every stored value.', in: m.Done, out: m.StoreReport, admin: true }),
  dial: method({ doc: 'Opens a session to an address.', in: m.DialAddressRequest, out: m.DialReply, admin: true }),
  join: method({ doc: 'Joins the network of a member.', in: m.DialAddressRequest, out: m.JoinReply, admin: true }),
  disconnect: method({ doc: 'Ends the session to a peer.', in: m.DisconnectPeerRequest, out: m.Done, admin: true }),
  leave: method({
    doc: 'Submits the membership transaction by which this node leaves.',
    in: m.Done,
    out: m.LeaveReply,
    admin: true,
  }),
  getMembers: method({
    doc: 'Members, membership policy, what is voted on and who was evicted.',
    in: m.Done,
    out: m.MembersReply,
  }),
  getConsensus: method({
    doc: 'The open height: who votes, who is missing and since when, and why nothing is decided.',
    in: m.Done,
    out: m.ConsensusReply,
  }),
  getEvidence: method({ doc: 'Proofs of equivocation that this node has kept.', in: m.Done, out: KeptEvidenceList }),
  proposeChange: method({
    doc: 'Puts an admission, an eviction or a change of the policy to the vote, signed by this node.',
    in: MemberPropose,
    out: m.TransactionStatus,
    admin: true,
  }),
  voteOnProposal: method({
    doc: 'Votes on a proposal, signed by this node.',
    in: MemberVote,
    out: m.TransactionStatus,
    admin: true,
  }),
  accuseMember: method({
    doc: 'Submits evidence that evicts a validator without a vote, signed by this node.',
    in: MemberAccuse,
    out: m.TransactionStatus,
    admin: true,
  }),
});
export type NodeService = typeof NodeService;
