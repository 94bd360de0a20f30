import {
  Genesis,
  failure,
  heightKey,
  isItChainError,
  messageOf,
  networkOf,
  type ChainTip,
  type Namespace,
  type Storage,
  type Write,
} from '@it-chain/contracts';
import type { Io } from '../terminal/io.js';
import { appendBlock } from './append-block.js';
import type { BlockSource } from './block-sources.js';
import { copyNamespace } from './copy-namespace.js';
import { StoppedNode, type StoppedNodeOptions } from './stopped-node.js';
import { rebuildFolder } from './swap-store.js';

/** What a store is built from. */
export interface RebuildOptions {
  readonly config: string | undefined;
  readonly verb: string;
  readonly dataDir: string;
  readonly identity: StoppedNodeOptions['identity'];
  readonly genesis: Uint8Array;
  /** Height of the last block to take. */
  readonly to: number;
  /** In the order in which they are asked for a block. */
  readonly sources: readonly BlockSource[];
  /** The old store, where it opens: pool, peers and consensus log are copied from it. */
  readonly old: Storage | undefined;
  /** Height up to which this node may have voted, where its consensus log cannot be copied. */
  readonly votedUpTo: number;
  readonly progress: (height: number, to: number) => void;
}

/** What came of it. */
export interface Rebuilt {
  readonly tip: ChainTip;
  /** Blocks by the name of the source that gave them. */
  readonly taken: Readonly<Record<string, number>>;
  /** What could not be taken over, one sentence each. */
  readonly lost: readonly string[];
}

/**
 * Builds a store beside the one of a stopped node: every block is verified by its certificate and executed again, so
 * state, receipts and indexes follow from blocks alone. Nothing of the old store is changed.
 */
export async function rebuildStore(options: RebuildOptions, io: Io): Promise<Rebuilt> {
  const { config, verb, dataDir, identity, genesis, to, sources } = options;
  requireFromBlocks(genesis);
  const flags = [{ path: 'node.dataDir', value: rebuildFolder(dataDir) }];
  const node = await StoppedNode.open({ config, verb, identity, flags, genesis }, io);
  try {
    let tip = await node.found(genesis);
    const lost: string[] = [];
    const taken: Record<string, number> = {};
    while (tip.height < to) {
      const next = await appendNext(node, tip, sources, lost, tip.height + 1 === to);
      if (next === undefined) {
        lost.push(`block ${tip.height + 1} and all above it: no source has it whole`);
        break;
      }
      tip = next.tip;
      taken[next.source] = (taken[next.source] ?? 0) + 1;
      if (tip.height % 100 === 0 || tip.height === to) options.progress(tip.height, to);
    }
    lost.push(...(await copyRest(options.old, node.storage, options.votedUpTo)));
    return { tip, taken, lost };
  } finally {
    await node.stop();
  }
}

async function appendNext(
  node: StoppedNode,
  tip: ChainTip,
  sources: readonly BlockSource[],
  lost: string[],
  last: boolean,
): Promise<{ tip: ChainTip; source: string } | undefined> {
  for (const source of sources) {
    try {
      const block = await source.block(tip.height + 1);
      if (block === undefined) continue;
      return { tip: await appendBlock(node.chain, tip, block, last), source: source.name };
    } catch (error) {
      if (!isItChainError(error)) throw error;
      lost.push(`block ${tip.height + 1} of ${source.name}: ${error.message}`);
    }
  }
  return undefined;
}

/** Copies what does not follow from blocks. What cannot be read is left out and said. */
async function copyRest(old: Storage | undefined, to: Storage, votedUpTo: number): Promise<string[]> {
  const lost: string[] = [];
  for (const namespace of ['p2p', 'pool', 'wal'] as const) {
    const whole = old !== undefined && (await copyReadable(old, to, namespace, lost));
    if (whole) continue;
    if (old === undefined) lost.push(`${WHAT[namespace]}: the old store does not open`);
    // A record of a height above the open one: consensus votes on nothing until that height was decided by others,
    // because the votes it has lost may have promised something.
    if (namespace === 'wal') await write(to, [{ namespace, key: heightKey(votedUpTo + 1), value: new Uint8Array(0) }]);
  }
  return lost;
}

const WHAT: Readonly<Record<'p2p' | 'pool' | 'wal', string>> = {
  p2p: 'known peers (join one of them again)',
  pool: 'transactions that waited (their senders may send them again)',
  wal: 'votes of the open height (this node stays silent until others have decided it)',
};

async function copyReadable(old: Storage, to: Storage, namespace: keyof typeof WHAT, lost: string[]): Promise<boolean> {
  try {
    await copyNamespace(old, to, namespace);
    return true;
  } catch (error) {
    if (!isItChainError(error)) throw error;
    lost.push(`${WHAT[namespace]}: ${messageOf(error)}`);
    return false;
  }
}

async function write(storage: Storage, writes: readonly (Write & { namespace: Namespace })[]): Promise<void> {
  if (writes.length > 0) await storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
}

/** The network of an encoded genesis. */
export const networkOfBytes = (genesis: Uint8Array): Uint8Array => networkOf(Genesis.decodeCanonical(genesis));

/** A recovered network begins with a state that no block of it can bring back. @throws ERR_BLOCK_NOT_FOUND */
export function requireFromBlocks(genesis: Uint8Array): void {
  const { recovery } = Genesis.decodeCanonical(genesis);
  if (recovery === undefined) return;
  throw failure(
    'ERR_BLOCK_NOT_FOUND',
    `this network begins with the state after block ${recovery.height} of the one before: its blocks alone do not lead to a state`,
    {
      hint: 'Recover the store that `recover` has kept once more, or move the data aside (keep node.key and votes.guard) and join again.',
    },
  );
}
