import { resolve } from 'node:path';
import { createClient, type Client } from '@it-chain/client';
import { Genesis, failure, sameBytes, toHex } from '@it-chain/contracts';
import type { Io } from '../terminal/io.js';
import { BlockFile } from './block-file.js';
import { fileSource, nodeSource, storeSource, type BlockSource } from './block-sources.js';
import { problemsOf, readable, requireYes, withNode, type Opened } from './maintained-node.js';
import { networkOfBytes, rebuildStore, type Rebuilt } from './rebuild-store.js';
import type { StoppedNode } from './stopped-node.js';
import { swapStore } from './swap-store.js';

/** What a rollback or a repair is told. */
export interface MaintenanceOptions {
  readonly config: string | undefined;
  /** An exported file, and client APIs of other nodes, as further sources of blocks. */
  readonly file?: string | undefined;
  readonly from?: readonly string[] | undefined;
  /** Without it nothing is changed. */
  readonly yes: boolean;
  readonly progress: (height: number, to: number) => void;
}

/** What a rollback or a repair came to. */
export interface Maintained {
  /** What was found wrong, one sentence each; empty = sound, and nothing was done. */
  readonly problems: readonly string[];
  readonly height: number;
  /** Folder of the store as it was; absent where nothing was changed. */
  readonly kept?: string | undefined;
  readonly taken: Readonly<Record<string, number>>;
  readonly lost: readonly string[];
}

/**
 * Takes a stopped node back to a height: its state is computed again from its own blocks. The guard of signed votes stays.
 * @throws ERR_CLI_USAGE, ERR_STORAGE_IN_USE, ERR_STORAGE_DAMAGED
 */
export async function rollbackChain(height: number, options: MaintenanceOptions, io: Io): Promise<Maintained> {
  return withNode('chain rollback', options, io, async ({ holder, identity, old, problems }) => {
    if (old === undefined) {
      throw failure('ERR_STORAGE_DAMAGED', problems[0] ?? 'the store does not open', {
        hint: 'Use `it-chain chain repair`.',
      });
    }
    const [genesis, tip] = [await old.genesis(), await old.tip()];
    if (genesis === undefined || tip === undefined || height >= tip.height) {
      throw failure('ERR_CLI_USAGE', `the chain is at height ${tip?.height ?? 0}: it cannot go back to ${height}`);
    }
    if ((await old.base()) !== undefined) {
      throw failure(
        'ERR_CLI_USAGE',
        'this chain begins with a snapshot: its state cannot be computed again from its blocks',
        {
          hint: 'Move the data aside and join again.',
        },
      );
    }
    requireYes(options.yes, `the ${tip.height - height} blocks above ${height} are taken off this node`);
    const rebuilt = await rebuildStore(
      {
        ...common('chain rollback', options, holder, identity),
        genesis,
        to: height,
        sources: [storeSource(old.chain)],
        old: old.storage,
        votedUpTo: tip.height + 1,
      },
      io,
    );
    if (rebuilt.tip.height !== height) {
      throw failure('ERR_BLOCK_NOT_FOUND', `the chain cannot be computed again: ${rebuilt.lost.join('; ')}`, {
        hint: 'Nothing was changed. Use `it-chain chain repair`.',
      });
    }
    return swapped('rollback', holder, old, rebuilt, []);
  });
}

/**
 * Finds what is damaged in a stopped node, and builds its store anew from the blocks it still has, an exported file and
 * other nodes. Every block is verified by its certificate, wherever it comes from.
 * @throws ERR_CLI_USAGE, ERR_STORAGE_IN_USE, ERR_CHAIN_FILE_INVALID
 */
export async function repairChain(options: MaintenanceOptions, io: Io): Promise<Maintained> {
  return withNode('chain repair', options, io, async ({ holder, identity, old, problems }) => {
    const file = options.file === undefined ? undefined : await BlockFile.open(resolve(io.cwd, options.file));
    const clients = (options.from ?? []).map((address) => ({ address, client: createClient({ address }) }));
    try {
      const found = old === undefined ? problems : await problemsOf(old, options.progress);
      const tip = old === undefined ? undefined : await old.tip();
      if (found.length === 0) return { problems: [], height: tip?.height ?? 0, taken: {}, lost: [] };
      const genesis = await agreedGenesis(await readable(() => old?.genesis()), file, clients);
      const { sources, to } = await sourcesOf(old, tip?.height ?? 0, file, clients, options.file ?? '');
      requireYes(options.yes, `the store is damaged (${found[0] ?? ''}) and is built anew`);
      const rebuilt = await rebuildStore(
        {
          ...common('chain repair', options, holder, identity),
          genesis,
          to,
          sources,
          old: old?.storage,
          votedUpTo: Math.max(tip?.height ?? 0, to) + 1,
        },
        io,
      );
      if (rebuilt.tip.height === 0 && to > 0) {
        throw failure('ERR_BLOCK_NOT_FOUND', `nothing was changed: no source has block 1 (${rebuilt.lost[0] ?? ''})`, {
          hint: 'Give --file or --from of a node that has all blocks, or move the data aside and join again.',
        });
      }
      return await swapped('repair', holder, old, rebuilt, found);
    } finally {
      await file?.close();
      for (const { client } of clients) client.close();
    }
  });
}

function common(
  verb: string,
  { config, progress }: MaintenanceOptions,
  { dataDir }: StoppedNode,
  identity: Opened['identity'],
): {
  config: string | undefined;
  verb: string;
  dataDir: string;
  identity: Opened['identity'];
  progress: MaintenanceOptions['progress'];
} {
  return { config, verb, dataDir, identity, progress };
}

async function swapped(
  reason: string,
  { dataDir }: StoppedNode,
  old: StoppedNode | undefined,
  { tip, taken, lost }: Rebuilt,
  problems: readonly string[],
): Promise<Maintained> {
  // LevelDB must have let go of its files before they are moved; the lock of the directory is held by the other part.
  await old?.stop();
  return { problems, height: tip.height, kept: await swapStore(dataDir, reason), taken, lost };
}

type Clients = readonly { readonly address: string; readonly client: Client }[];

/** The genesis of the store, else of the file, else of the first node; all that are there must be the same. */
async function agreedGenesis(
  stored: Uint8Array | undefined,
  file: BlockFile | undefined,
  clients: Clients,
): Promise<Uint8Array> {
  const told: { from: string; genesis: Uint8Array }[] = [];
  if (stored !== undefined) told.push({ from: 'the store', genesis: stored });
  if (file !== undefined) told.push({ from: 'the file', genesis: Genesis.encode(file.genesis) });
  for (const { address, client } of clients) told.push({ from: address, genesis: (await client.genesis()).genesis });
  const first = told[0];
  if (first === undefined) {
    throw failure('ERR_CLI_USAGE', 'the genesis of the network cannot be read from the store', {
      hint: 'Give --file of an export, or --from HOST:PORT of the client API of another node.',
    });
  }
  for (const { from, genesis } of told) {
    if (sameBytes(networkOfBytes(genesis), networkOfBytes(first.genesis))) continue;
    throw failure(
      'ERR_DIFFERENT_NETWORK',
      `${from} is of the network ${toHex(networkOfBytes(genesis))}, ${first.from} of ${toHex(networkOfBytes(first.genesis))}`,
    );
  }
  return first.genesis;
}

async function sourcesOf(
  old: StoppedNode | undefined,
  height: number,
  file: BlockFile | undefined,
  clients: Clients,
  path: string,
): Promise<{ sources: BlockSource[]; to: number }> {
  const sources: BlockSource[] = [];
  let to = height;
  if (old !== undefined) sources.push(storeSource(old.chain));
  if (file !== undefined) {
    sources.push(fileSource(file, path));
    to = Math.max(to, file.to);
  }
  for (const { address, client } of clients) {
    sources.push(nodeSource(client, address));
    if (height === 0) to = Math.max(to, (await client.status()).height);
  }
  return { sources, to };
}
