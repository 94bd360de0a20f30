import { bytes, message, nested, repeated, string, uint64, type Infer } from '../schema/index.js';
import { signingBytes } from './signing.js';

/** What a node says of itself, signed; spread to every member. Canonical. */
export const NodeRecord = message('NodeRecord', {
  publicKey: bytes(1, { length: 32 }),
  name: string(2, { maxLength: 64 }),
  /** `host:port` where peers may dial it. */
  addresses: repeated(string(3, { maxLength: 255 }), { maxItems: 8 }),
  /** Grows with every new record of this node; the highest wins. */
  sequence: uint64(4),
  /** Ed25519 over the domain `record`, the network and all fields above. */
  signature: bytes(15, { length: 64 }),
});
export type NodeRecord = Infer<typeof NodeRecord>;

/** Records as peers send them to each other: the body of the peer message `record`. */
export const NodeRecordBatch = message('NodeRecordBatch', {
  records: repeated(nested(1, NodeRecord), { maxItems: 1_000 }),
});

/** The content of the signature: the canonical form without its last field (66 bytes). */
export function recordContent(record: Omit<NodeRecord, 'signature'>): Uint8Array {
  const encoded = NodeRecord.encode({ ...record, signature: new Uint8Array(64) });
  return encoded.subarray(0, encoded.length - 66);
}

/** What is signed: {@link recordContent} behind the domain tag and the network. */
export function recordSigningBytes(record: Omit<NodeRecord, 'signature'>, network: Uint8Array): Uint8Array {
  return signingBytes('record', network, recordContent(record));
}
