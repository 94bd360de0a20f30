import { nodeIdOf, sameBytes } from '@it-chain/contracts';
import type { KnownGenesis } from './read-genesis.js';

/** Why two nodes of different networks part, for both of them. */
export interface OtherNetwork {
  readonly code: 'ERR_DIFFERENT_NETWORK' | 'ERR_NETWORK_RECOVERED';
  /** At most 500 characters. */
  readonly reason: string;
  /** The genesis that recovers the network of this node; its founder is not yet known to be a member. */
  readonly successor?: KnownGenesis | undefined;
}

const WAY =
  'stop that node and follow with `it-chain recover --from HOST:PORT --yes` (the client API of a member), or move its data aside, keep node.key and votes.guard, and join again';

/** What a node of the network `own` says to one of `other`. */
export function otherNetwork(own: KnownGenesis | undefined, other: KnownGenesis | undefined): OtherNetwork {
  const [left, right] = [own?.network ?? 'none', other?.network ?? 'none'];
  if (goesOnFrom(other, own)) {
    return { code: 'ERR_NETWORK_RECOVERED', reason: recovered(other, 'this node'), successor: other };
  }
  if (goesOnFrom(own, other)) return { code: 'ERR_NETWORK_RECOVERED', reason: recovered(own, 'the other node') };
  return {
    code: 'ERR_DIFFERENT_NETWORK',
    reason: `this node belongs to the network ${left}, the other one to ${right}`,
  };
}

function goesOnFrom(later: KnownGenesis | undefined, earlier: KnownGenesis | undefined): later is KnownGenesis {
  const before = later?.value.recovery?.network;
  return before !== undefined && earlier !== undefined && sameBytes(before, earlier.digest);
}

const recovered = ({ network, value }: KnownGenesis, behind: string): string =>
  `${nodeIdOf(value.founder)} has recovered the network of ${behind} after block ${value.recovery?.height ?? 0}: it goes on as ${network}; ${WAY}`;
