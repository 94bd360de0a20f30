import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  Application,
  Chain,
  Genesis,
  Identity,
  Storage,
  failure,
  hasCode,
  p2pKeys,
  type ChainTip,
} from '@it-chain/contracts';
import { MemoryBus, SystemClock, createProxy, startNode, type RunningNode } from '@it-chain/kernel';
import type { Io } from '../terminal/io.js';
import { configOptions, version } from './defaults.js';
import { placeOf } from './find-node.js';
import { verifyBlocks, type ChainVerdict } from './verify-chain.js';

/**
 * Checks the store of a node that is stopped: starts its storage, application and chain, and nothing that reaches out.
 * @throws ERR_CLI_NOT_FOUND where there is no data, ERR_STORAGE_DAMAGED where the store does not even open
 */
export async function verifyOffline(
  options: { readonly config?: string | undefined },
  io: Io,
  progress: (height: number, tip: number) => void,
): Promise<ChainVerdict> {
  const place = await placeOf(options.config, io);
  const dataDir = place?.dataDir ?? join(io.cwd, 'data', 'node');
  if (!existsSync(join(dataDir, 'node.key'))) {
    throw failure('ERR_CLI_NOT_FOUND', `no node runs, and there is no data of one in ${dataDir}`, {
      hint: 'Give --api of a running node, or --config of a stopped one.',
    });
  }
  const node = await startNode({
    ...configOptions(io, {
      config: options.config,
      only: [Storage.name, Application.name, Chain.name, Identity.name],
      flags: [{ flag: 'chain verify', path: 'log.level', value: 'error' }],
    }),
    version: version(),
    bus: new MemoryBus(),
    logDestination: { write: io.err },
  });
  try {
    return await verifyOpened(node, progress);
  } finally {
    await node.stop();
  }
}

async function verifyOpened(node: RunningNode, progress: (height: number, tip: number) => void): Promise<ChainVerdict> {
  let calls = 0;
  const clock = new SystemClock();
  const origin = { bus: () => node.bus, clock, sender: 'chain-verify', nextId: () => `chain-verify-${++calls}` };
  const storage = createProxy(Storage, origin);
  const chain = createProxy(Chain, origin);
  const { entries, bytes, problems } = await storage.verify({});
  const { values } = await storage.read({ namespace: 'p2p', keys: [p2pKeys.genesis] });
  const genesis = values[0]?.value;
  const tip = await tipOf(() => chain.tip({}));
  const height = tip?.height ?? 0;
  const source = {
    genesis: tip === undefined || genesis === undefined ? undefined : Genesis.encode(Genesis.decode(genesis)),
    height,
    range: async (from: number) => (await chain.range({ from, maxCount: 200, maxBytes: 0 })).blocks,
  };
  const { verified, problem } = await verifyBlocks(source, progress);
  return {
    online: false,
    entries,
    bytes,
    height,
    verified,
    problems: problem === undefined ? problems : [...problems, problem],
  };
}

async function tipOf(ask: () => Promise<ChainTip>): Promise<ChainTip | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (hasCode(error, 'ERR_NETWORK_UNFOUNDED')) return undefined;
    throw error;
  }
}
