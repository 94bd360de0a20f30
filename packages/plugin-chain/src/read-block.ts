import {
  type Block,
  BlockHeader,
  Transaction,
  decodeTransaction,
  headerDigest,
  isItChainError,
  sameBytes,
  transactionId,
  type DecodedTransaction,
} from '@it-chain/contracts';

/** A block whose header was read; its transactions are bytes and ids still. */
export interface ReadBlock {
  readonly block: Block;
  readonly header: BlockHeader;
  /** 32 bytes. */
  readonly digest: Uint8Array;
  readonly ids: readonly Uint8Array[];
}

/** Reads the header and the ids. Never throws for bad bytes: then it is the broken rule. */
export function readBlock(block: Block, network: Uint8Array): ReadBlock | string {
  try {
    const header = BlockHeader.decodeCanonical(block.header);
    const ids = block.transactions.map((transaction) => transactionId(transaction, network));
    return { block, header, digest: headerDigest(block.header, network), ids };
  } catch (error) {
    if (isItChainError(error)) return error.message;
    throw error;
  }
}

/**
 * Reads the transactions of a block. `known` holds, by position, bytes that were found canonical before; equal ones are
 * read without proving that again. Answers the broken rule where one cannot be read.
 */
export function readTransactions(
  { block, ids }: ReadBlock,
  known: readonly (Uint8Array | undefined)[],
): DecodedTransaction[] | string {
  const read: DecodedTransaction[] = [];
  for (const [index, encoded] of block.transactions.entries()) {
    try {
      const id = ids[index];
      const same = known[index];
      if (id !== undefined && same !== undefined && sameBytes(same, encoded)) {
        read.push({ encoded, value: Transaction.decode(encoded), id });
      } else {
        read.push(decodeTransaction(encoded));
      }
    } catch (error) {
      if (isItChainError(error)) return `transaction ${index}: ${error.message}`;
      throw error;
    }
  }
  return read;
}

/** True where two blocks are the same bytes. */
export function sameBlock(a: Block, b: Block): boolean {
  return (
    sameBytes(a.header, b.header) &&
    a.transactions.length === b.transactions.length &&
    a.transactions.every((transaction, index) => {
      const other = b.transactions[index];
      return other !== undefined && Buffer.compare(transaction, other) === 0;
    })
  );
}
