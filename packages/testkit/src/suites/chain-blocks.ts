import {
  Block,
  BlockHeader,
  Certificate,
  decodeTransaction,
  transactionId,
  transactionRootOf,
  utf8,
  networkOf,
  type CertifiedBlock,
  type Genesis,
} from '@it-chain/contracts';
import { type ChainBench, benchKeys, benchTransaction, chainGenesis, withHeader } from './chain-bench.js';

/** Makes the chains of a test, and knows which to stop after it. */
export interface Benches {
  /** Not started. */
  readonly make: (name?: string, genesis?: Genesis) => ChainBench;
  readonly open: (name?: string, genesis?: Genesis) => Promise<ChainBench>;
  readonly restart: (bench: ChainBench) => Promise<ChainBench>;
  /** On what a power cut leaves. */
  readonly crash: (bench: ChainBench) => Promise<ChainBench>;
}
export type Made = { readonly block: Block; readonly certificate: Certificate; readonly digest: Uint8Array };

export const SOLO = chainGenesis(['alice']);
export const idOf = (encoded: Uint8Array): Uint8Array => decodeTransaction(encoded).id;
export const heightOf = ({ block }: CertifiedBlock): number => BlockHeader.decode(Block.decode(block).header).height;

/** A block with another body, and the header that fits it. */
export function bodied(block: Block, transactions: Uint8Array[], genesis: Genesis = SOLO): Block {
  const ids = transactions.map((encoded) => transactionId(encoded, networkOf(genesis)));
  const transactionRoot = transactionRootOf(ids, transactions);
  return { ...withHeader(block, { transactionCount: transactions.length, transactionRoot }), transactions };
}

/** Each rule broken once; the block is of height 2 and has two transactions. */
export function brokenBlocks(block: Block, committed: Uint8Array): [string, Block][] {
  const [first, second] = block.transactions as [Uint8Array, Uint8Array];
  const forged = Uint8Array.from(first);
  forged[forged.length - 10] = (forged[forged.length - 10] ?? 0) ^ 1;
  const long = utf8('garbage, and long enough to have room for a signature in it, is it not');
  const { time } = BlockHeader.decode(block.header);
  return [
    ['a header of garbage', { ...block, header: utf8('garbage') }],
    ['no header', { ...block, header: new Uint8Array(0) }],
    ['a long form of the header', { ...block, header: Buffer.concat([block.header, Buffer.from([0x78, 0])]) }],
    ['version', withHeader(block, { version: 2 })],
    ['network', withHeader(block, { network: new Uint8Array(32) })],
    ['height', withHeader(block, { height: 3 })],
    ['parent', withHeader(block, { previous: new Uint8Array(32) })],
    ['time before the parent', withHeader(block, { time: time - 1_000_000 })],
    ['proposer', withHeader(block, { proposer: benchKeys('mallory').publicKey })],
    ['sequence of the proposer', withHeader(block, { proposerSequence: 7 })],
    ['transaction root', withHeader(block, { transactionRoot: new Uint8Array(32) })],
    ['count', withHeader(block, { transactionCount: 1 })],
    ['state root', withHeader(block, { previousStateRoot: new Uint8Array(32) })],
    ['validators', withHeader(block, { validators: new Uint8Array(32) })],
    ['next validators', withHeader(block, { nextValidators: new Uint8Array(32) })],
    ['order', { ...block, transactions: [second, first] }],
    ['one is missing', { ...block, transactions: [first] }],
    ['twice in the block', bodied(block, [first, second, first])],
    ['committed before', bodied(block, [committed])],
    ['expired', bodied(block, [benchTransaction(SOLO, 'bob', { expiresAt: 1 })])],
    ['beyond the window', bodied(block, [benchTransaction(SOLO, 'bob', { expiresAt: 103 })])],
    ['another network', bodied(block, [benchTransaction(chainGenesis(['eve']), 'bob')])],
    ['a forged signature', bodied(block, [forged])],
    ['a transaction of garbage', bodied(block, [long])],
    [
      'too many',
      bodied(
        block,
        Array.from({ length: 11 }, () => benchTransaction(SOLO, 'bob')),
      ),
    ],
    ['one too large', bodied(block, [benchTransaction(SOLO, 'bob', { text: 'x'.repeat(1_000) })])],
    [
      'too many bytes',
      bodied(
        block,
        Array.from({ length: 5 }, () => benchTransaction(SOLO, 'bob', { text: 'x'.repeat(750) })),
      ),
    ],
  ];
}

/** The committed blocks of a chain. */
export async function madeBlocks(node: ChainBench): Promise<Made[]> {
  const { blocks } = await node.chain.range({ from: 1, maxCount: 0, maxBytes: 0 });
  return blocks.map((one) => {
    const block = Block.decode(one.block);
    return { block, digest: node.digestOf(block), certificate: Certificate.decode(one.certificate) };
  });
}

/** Commits a block that was never checked here, as sync does. */
export const take = (node: ChainBench, { block, digest, certificate }: Made): Promise<unknown> =>
  node.commit(BlockHeader.decode(block.header).height, digest, certificate, block);
