import type { Infer, Peer } from '@it-chain/contracts';
import type { PeerRow } from './peer-table.js';

/** A row of the table as `peer.list` shows it. */
export function describePeer({ nodeId, publicKey, name, address, session, seen }: PeerRow): Infer<typeof Peer> {
  return {
    nodeId,
    publicKey,
    name,
    address,
    self: false,
    connected: session !== undefined,
    direction: session?.direction ?? 'none',
    since: session?.since ?? seen,
  };
}
