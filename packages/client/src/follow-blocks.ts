import { failure, type BlockReply } from '@it-chain/contracts';
import type { CallOptions, Connection } from './connection.js';
import { resumed, type ResumeOptions } from './resumed.js';

/** How blocks are followed. */
export interface FollowOptions extends CallOptions, ResumeOptions {}

/**
 * Every block from a height on, then every new one: no gap, none twice, also over restarts of the node. 0 begins with the
 * next block. Ends when the signal aborts.
 * @throws ERR_CLI_CANNOT_CONNECT when the node cannot be reached at the start
 */
export async function* followBlocks(
  connection: Connection,
  from: number,
  options: FollowOptions = {},
): AsyncGenerator<BlockReply, void> {
  const { signal } = options;
  let next = from !== 0 ? from : (await connection.unary('getStatus', {}, { signal })).height + 1;
  for await (const block of resumed(() => connection.stream('followBlocks', { from: next }, { signal }), options)) {
    if (block.height !== next) {
      throw failure('ERR_INTERNAL', `the node sent block ${block.height} where ${next} was due`);
    }
    next += 1;
    yield block;
  }
}
