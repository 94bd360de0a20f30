import type { Client } from '@it-chain/client';
import { isItChainError, type CertifiedBlock, type Chain } from '@it-chain/contracts';
import type { BlockFile } from './block-file.js';

/** Where blocks come from. Nothing that a source gives is trusted. */
export interface BlockSource {
  readonly name: string;
  /** The block of a height, or undefined where this source has none, or none that can be read. */
  block(height: number): Promise<CertifiedBlock | undefined>;
}

/** Blocks that are asked for at once. */
const AHEAD = 100;

/** Blocks of the store of this node; one that cannot be read is passed over. */
export function storeSource(chain: Chain): BlockSource {
  const ahead = new Map<number, CertifiedBlock>();
  const single = async (height: number): Promise<CertifiedBlock | undefined> => {
    try {
      return (await chain.get({ height })).block;
    } catch (error) {
      if (isItChainError(error)) return undefined;
      throw error;
    }
  };
  return {
    name: 'the store',
    block: async (height) => {
      const known = ahead.get(height);
      if (known !== undefined) return known;
      ahead.clear();
      try {
        const { blocks } = await chain.range({ from: height, maxCount: AHEAD, maxBytes: 0 });
        for (const [index, block] of blocks.entries()) ahead.set(height + index, block);
        return ahead.get(height);
      } catch (error) {
        // One damaged value fails the whole range: then one by one.
        if (isItChainError(error)) return single(height);
        throw error;
      }
    },
  };
}

/** Blocks of an exported file. */
export const fileSource = (file: BlockFile, path: string): BlockSource => ({
  name: path,
  block: (height) => file.block(height),
});

/** Blocks of another node, over its client API. */
export function nodeSource(client: Client, address: string): BlockSource {
  let ahead = new Map<number, CertifiedBlock>();
  return {
    name: address,
    block: async (height) => {
      if (!ahead.has(height)) {
        const blocks = await client.blocks(height, AHEAD);
        ahead = new Map(blocks.map(({ certified }, index) => [height + index, certified]));
      }
      return ahead.get(height);
    },
  };
}
