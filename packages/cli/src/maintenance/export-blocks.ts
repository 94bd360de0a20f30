import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { failure } from '@it-chain/contracts';
import type { ChainSource } from '../node/verify-chain.js';
import type { Io } from '../terminal/io.js';
import { BlockFileWriter } from './block-file.js';

/** What is exported, and where to. */
export interface ExportOptions {
  readonly path: string;
  /** Heights; all where left out. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly force: boolean;
  readonly progress: (height: number, to: number) => void;
}

/**
 * Writes certified blocks to a file, which appears whole or not at all.
 * @throws ERR_CLI_USAGE, ERR_BLOCK_NOT_FOUND, ERR_NETWORK_UNFOUNDED
 */
export async function exportBlocks(
  source: ChainSource,
  options: ExportOptions,
  io: Io,
): Promise<{ from: number; to: number }> {
  const path = resolve(io.cwd, options.path);
  const { from = (source.base?.height ?? 0) + 1, to = source.height } = options;
  if (source.genesis === undefined) throw failure('ERR_NETWORK_UNFOUNDED', 'this node belongs to no network yet');
  if (from < 1 || to > source.height || from > to + 1) {
    throw failure('ERR_CLI_USAGE', `heights ${from} to ${to} cannot be exported of a chain of ${source.height} blocks`);
  }
  if (existsSync(path) && !options.force) {
    throw failure('ERR_CLI_USAGE', `${path} is there already`, { hint: 'Give --force to replace it.' });
  }
  const writer = await BlockFileWriter.create(path, source.genesis);
  try {
    for (let next = from; next <= to;) {
      const blocks = await source.range(next);
      if (blocks.length === 0) throw failure('ERR_BLOCK_NOT_FOUND', `block ${next} is not here`);
      for (const block of blocks.slice(0, to - next + 1)) await writer.add(block);
      next += blocks.length;
      options.progress(Math.min(next - 1, to), to);
    }
    await writer.finish();
  } catch (error) {
    await writer.abandon();
    throw error;
  }
  return { from, to };
}
