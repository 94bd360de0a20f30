export { createClient, Client, type SignedTransaction, type SigningTerms } from './client.js';
export type { CallOptions, ClientOptions } from './connection.js';
export type { FollowOptions } from './follow-blocks.js';
export { fromGrpcError } from './from-grpc-error.js';
export { KvClient, type KvBytes, type KvChangeOptions, type KvRange, type KvValue } from './kv.js';
export type { SubmitStreamOptions } from './submit-stream.js';
export { TransactionBatcher, type BatcherOptions } from './transaction-batcher.js';
export { verifyCertificate, verifyTransactionProof, type ProvenTransaction, type Trust } from './verify-proof.js';
export {
  blockJson,
  kvRangeJson,
  kvValueJson,
  leaderJson,
  peerJson,
  statusJson,
  textOf,
  transactionJson,
  validatorsJson,
  type BlockJson,
  type KvRangeJson,
  type KvValueJson,
  type LeaderJson,
  type PeerJson,
  type StatusJson,
  type TransactionJson,
  type ValidatorsJson,
} from './json.js';
export {
  actionJson,
  consensusJson,
  evidenceJson,
  membersJson,
  type ActionJson,
  type ConsensusJson,
  type EvidenceJson,
  type MembersJson,
} from './members-json.js';
