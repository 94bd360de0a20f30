/** What one node shows of its network when it meets another. */
export interface NetworkView {
  /** Hex digest of its genesis; absent while unfounded. */
  readonly network?: string | undefined;
  /** Height of its last block. */
  readonly height: number;
  /** Hex digest of the genesis it would found with; absent where it must not found. */
  readonly candidate?: string | undefined;
  /** True for a network that recovers another one. It has the blocks of that one, whatever this node has of them. */
  readonly recovered?: boolean | undefined;
}

/** Who opened the session, as seen from here: `inbound` = the other node dialled this one. */
export type Direction = 'inbound' | 'outbound';

/**
 * What a node does after it met another.
 * - `found`: its own candidate becomes its genesis.
 * - `adopt-network`, `adopt-candidate`: the other's genesis, or what the other is about to found with.
 * - `keep`: nothing changes here; where the networks differ, the other node changes.
 * - `wait`: neither can found.
 * - `refuse`: two networks that both have blocks, a recovered one and another, or another one than the pinned: the session ends.
 */
export type FoundingDecision = 'found' | 'adopt-network' | 'adopt-candidate' | 'keep' | 'wait' | 'refuse';

/**
 * The founding table of the consensus document, for one side of a session. Both sides reach decisions that fit, from
 * whatever order of meetings: at height 0 the digest of a node only ever gets lower, and blocks beat no blocks.
 * @param pin hex digest of the only network that this node may belong to
 */
export function decideFounding(
  own: NetworkView,
  other: NetworkView,
  direction: Direction,
  pin?: string,
): FoundingDecision {
  const allowed = (network: string): boolean => pin === undefined || pin === network;
  if (own.network === undefined) {
    if (other.network !== undefined) return allowed(other.network) ? 'adopt-network' : 'refuse';
    if (direction === 'inbound') return own.candidate !== undefined && allowed(own.candidate) ? 'found' : 'wait';
    if (other.candidate === undefined) return 'wait';
    return allowed(other.candidate) ? 'adopt-candidate' : 'refuse';
  }
  if (other.network === undefined || other.network === own.network) return 'keep';
  // Never given up for a lower digest or for blocks, and entered by nodes without a network or by an operator only.
  if (own.recovered === true || other.recovered === true) return 'refuse';
  if (own.height > 0) return other.height > 0 ? 'refuse' : 'keep';
  if (other.height === 0 && own.network < other.network) return 'keep';
  return allowed(other.network) ? 'adopt-network' : 'refuse';
}
