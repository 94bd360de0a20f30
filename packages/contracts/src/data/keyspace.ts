import { concatBytes, utf8 } from './hash.js';

/** Who writes where in the one store of a node. Everybody may read; only the owner writes, chain for the application. */
export const NAMESPACES = ['chain', 'app', 'pool', 'wal', 'p2p'] as const;
/** One of {@link NAMESPACES}. */
export type Namespace = (typeof NAMESPACES)[number];

/** A height as 8 bytes, big-endian, so that keys sort by height. */
export function heightKey(height: number): Uint8Array {
  const key = Buffer.alloc(8);
  key.writeBigUInt64BE(BigInt(height));
  return key;
}

/** Keys in `chain` that others read too. */
export const chainKeys = {
  /** -> ChainTip. Absent before block 1. */
  tip: utf8('tip'),
  /** -> Location, for every committed transaction inside the window: the removal from the pool. */
  transaction: (id: Uint8Array): Uint8Array => concatBytes(utf8('t/'), id),
} as const;

/** Keys in `p2p` that others read too. */
export const p2pKeys = {
  /** -> Genesis of the network this node belongs to. Absent before founding. */
  genesis: utf8('genesis'),
  /** -> the candidate Genesis that this node drew at its first boot. */
  candidate: utf8('candidate'),
  /** -> the last NodeRecord of this node. */
  self: utf8('self'),
  /** -> the last Leader that consensus named. */
  leader: utf8('leader'),
  /** -> a row of the peer table. */
  peer: (nodeId: string): Uint8Array => utf8(`peer/${nodeId}`),
} as const;
