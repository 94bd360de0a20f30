import { Block, BlockHeader, type CertifiedBlock } from '../data/block.js';

/** A committed block whose bytes were read: the header's fields, and the encoded transactions. */
export interface CommittedBlock extends BlockHeader {
  readonly transactions: readonly Uint8Array[];
}

/** Reads a certified block of this node's own chain; its certificate was checked before it was committed. */
export function readBlock({ block }: CertifiedBlock): CommittedBlock {
  const { header, transactions } = Block.decode(block);
  return { ...BlockHeader.decode(header), transactions };
}
