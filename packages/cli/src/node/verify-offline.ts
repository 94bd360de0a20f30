import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Genesis, failure } from '@it-chain/contracts';
import { StoppedNode } from '../maintenance/stopped-node.js';
import type { Io } from '../terminal/io.js';
import { placeOf } from './find-node.js';
import { verifyBlocks, type ChainSource, type ChainVerdict } from './verify-chain.js';

/**
 * Opens a stopped node that is there.
 * @throws ERR_CLI_NOT_FOUND where there is no data, ERR_STORAGE_DAMAGED where the store does not even open
 */
export async function openStopped(config: string | undefined, verb: string, io: Io): Promise<StoppedNode> {
  const place = await placeOf(config, io);
  const dataDir = place?.dataDir ?? join(io.cwd, 'data', 'node');
  // A store that a repair or a recovery has kept is read in a folder of its own, without the key.
  if (!['node.key', 'plugins'].some((name) => existsSync(join(dataDir, name)))) {
    throw failure('ERR_CLI_NOT_FOUND', `no node runs, and there is no data of one in ${dataDir}`, {
      hint: 'Give --api of a running node, or --config of a stopped one.',
    });
  }
  return StoppedNode.open({ config, verb }, io);
}

/** The blocks of a stopped node. */
export async function stoppedSource(node: StoppedNode): Promise<ChainSource> {
  const [genesis, tip] = [await node.genesis(), await node.tip()];
  return {
    genesis: tip === undefined || genesis === undefined ? undefined : Genesis.encode(Genesis.decode(genesis)),
    height: tip?.height ?? 0,
    base: await node.base(),
    range: async (from) => (await node.chain.range({ from, maxCount: 200, maxBytes: 0 })).blocks,
  };
}

/** Checks the store of a node that is stopped: opens its storage, application and chain, and nothing that reaches out. */
export async function verifyOffline(
  options: { readonly config?: string | undefined },
  io: Io,
  progress: (height: number, tip: number) => void,
): Promise<ChainVerdict> {
  const node = await openStopped(options.config, 'chain verify', io);
  try {
    const { entries, bytes, problems } = await node.storage.verify({});
    const source = await stoppedSource(node);
    const { verified, problem } = await verifyBlocks(source, progress);
    return {
      online: false,
      entries,
      bytes,
      height: source.height,
      verified,
      problems: problem === undefined ? problems : [...problems, problem],
    };
  } finally {
    await node.stop();
  }
}
