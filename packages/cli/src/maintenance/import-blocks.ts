import { resolve } from 'node:path';
import { Genesis, failure, sameBytes, toHex, type ChainTip } from '@it-chain/contracts';
import type { Io } from '../terminal/io.js';
import { appendBlock } from './append-block.js';
import { BlockFile } from './block-file.js';
import { networkOfBytes, requireFromBlocks } from './rebuild-store.js';
import { StoppedNode } from './stopped-node.js';

/** What an import came to. */
export interface Imported {
  readonly network: string;
  readonly before: number;
  readonly height: number;
}

/**
 * Commits the blocks of a file on top of what a stopped node has; a new node enters the network of the file.
 * @throws ERR_CHAIN_FILE_INVALID, ERR_DIFFERENT_NETWORK, ERR_CHAIN_GAP, ERR_CERTIFICATE_INVALID, ERR_BLOCK_INVALID
 */
export async function importBlocks(
  options: {
    readonly config: string | undefined;
    readonly path: string;
    readonly progress: (height: number, to: number) => void;
  },
  io: Io,
): Promise<Imported> {
  const file = await BlockFile.open(resolve(io.cwd, options.path));
  try {
    const genesis = Genesis.encode(file.genesis);
    const node = await StoppedNode.open({ config: options.config, verb: 'chain import', genesis }, io);
    try {
      const stored = await node.genesis();
      requireSame(file, stored);
      if (stored === undefined) requireFromBlocks(genesis);
      const tip = stored === undefined ? await node.found(genesis) : await node.entered();
      const reached = await append(node, file, tip, options.progress);
      return { network: toHex(file.network), before: tip.height, height: reached.height };
    } finally {
      await node.stop();
    }
  } finally {
    await file.close();
  }
}

function requireSame(file: BlockFile, stored: Uint8Array | undefined): void {
  if (stored === undefined || sameBytes(networkOfBytes(stored), file.network)) return;
  throw failure(
    'ERR_DIFFERENT_NETWORK',
    `the file is of the network ${toHex(file.network)}, this node of ${toHex(networkOfBytes(stored))}`,
    { hint: 'Import it into a node with an empty data directory.' },
  );
}

async function append(
  node: StoppedNode,
  file: BlockFile,
  start: ChainTip,
  progress: (height: number, to: number) => void,
): Promise<ChainTip> {
  let tip = start;
  if (file.from > tip.height + 1 && file.to > tip.height) {
    throw failure('ERR_CHAIN_GAP', `the file begins with block ${file.from}, where ${tip.height + 1} is next`);
  }
  while (tip.height < file.to) {
    const block = await file.block(tip.height + 1);
    if (block === undefined) throw failure('ERR_CHAIN_GAP', `the file has no block ${tip.height + 1}`);
    tip = await appendBlock(node.chain, tip, block, tip.height + 1 === file.to);
    if (tip.height % 100 === 0 || tip.height === file.to) progress(tip.height, file.to);
  }
  return tip;
}
