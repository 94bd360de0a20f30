/** A transaction that waits, as an order sees it. */
export interface WaitingTransaction {
  /** Grows with every transaction that came. */
  readonly arrival: number;
  /** When it came, in ms since the epoch. */
  readonly at: number;
  /** 32 bytes. */
  readonly id: Uint8Array;
  /** Public key in hex. */
  readonly sender: string;
  /** The last height at which it may be in a block. */
  readonly expiresAt: number;
  /** Its canonical bytes; `decodeTransaction` gives the fields, the payload among them. */
  readonly encoded: Uint8Array;
}

/** The block that is to be filled. */
export interface BlockRoom {
  readonly height: number;
  /** Most transactions. */
  readonly maxCount: number;
  /** Most bytes of transactions. */
  readonly maxBytes: number;
}

/**
 * Decides who goes first. Gets what may be in the block, in the order of arrival, and gives it in the order in which the
 * block is to be filled; what it leaves out waits on. Pure: the same transactions give the same block after a restart.
 */
export type PoolOrder = (waiting: readonly WaitingTransaction[], block: BlockRoom) => Iterable<WaitingTransaction>;

/**
 * Fills a block in an order. Where one does not fit, later ones of its sender do not overtake it, but those of others do.
 * What was not offered, or comes twice, is passed over: an order cannot put into a block what the pool would not.
 */
export function fillBlock(
  offered: readonly WaitingTransaction[],
  order: PoolOrder,
  block: BlockRoom,
): WaitingTransaction[] {
  const left = new Set(offered);
  const blocked = new Set<string>();
  const taken: WaitingTransaction[] = [];
  let bytes = 0;
  for (const one of order(offered, block)) {
    if (taken.length >= block.maxCount) break;
    if (blocked.has(one.sender) || !left.delete(one)) continue;
    if (bytes + one.encoded.length > block.maxBytes) {
      blocked.add(one.sender);
      continue;
    }
    bytes += one.encoded.length;
    taken.push(one);
  }
  return taken;
}
