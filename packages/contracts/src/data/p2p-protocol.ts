import { bool, bytes, message, repeated, string, type Infer } from '../schema/index.js';

/** Body of peer messages of the kind `record`: canonical encoded NodeRecords. */
export const NodeRecords = message('NodeRecords', { records: repeated(bytes(1, { maxLength: 4_096 }), { maxItems: 1_000 }) });
export type NodeRecords = Infer<typeof NodeRecords>;

/** Body of peer requests of the kind `join`. */
export const JoinPlea = message('JoinPlea', {
  /** Of the node that wants to join. */
  publicKey: bytes(1, { length: 32 }),
  name: string(2, { maxLength: 64 }),
  /** Over joinSigningBytes of the network. */
  signature: bytes(3, { length: 64 }),
  /** True where a member that is no validator passes it on; it is passed on once at most. */
  forwarded: bool(4),
});
export type JoinPlea = Infer<typeof JoinPlea>;

/** Answer to a {@link JoinPlea}. */
export const JoinGrant = message('JoinGrant', {
  /** Id of the membership transaction, or empty where the node is a member already. */
  transaction: bytes(1, { maxLength: 32 }),
});
export type JoinGrant = Infer<typeof JoinGrant>;
