import type { Client } from '@it-chain/client';
import {
  Genesis,
  isItChainError,
  verifiedGenesis,
  verifiedSnapshot,
  verifyNextBlock,
  type CertifiedBlock,
  type Snapshot,
} from '@it-chain/contracts';

/** What came of a verification. */
export interface ChainVerdict {
  readonly online: boolean;
  /** Stored values that were checked. */
  readonly entries: number;
  readonly bytes: number;
  /** Height of the tip. */
  readonly height: number;
  /** Blocks that were verified from the genesis on. */
  readonly verified: number;
  /** Empty = sound. */
  readonly problems: readonly string[];
}

/** Where blocks come from: a running node, or its store. */
export interface ChainSource {
  readonly genesis: Uint8Array | undefined;
  readonly height: number;
  /** The snapshot that the chain begins with. */
  readonly base?: Snapshot | undefined;
  readonly range: (from: number) => Promise<readonly CertifiedBlock[]>;
}

/** Walks all blocks with nothing to start from but the genesis. Gives how far it got, and what is wrong there. */
export async function verifyBlocks(
  source: ChainSource,
  progress: (height: number, tip: number) => void,
): Promise<{ readonly verified: number; readonly problem?: string }> {
  if (source.genesis === undefined) return { verified: 0 };
  const genesis = Genesis.decode(source.genesis);
  let verified = 0;
  try {
    // What lies below was never here, or is here no more: the proof stands in its place.
    let at = source.base === undefined ? verifiedGenesis(genesis) : verifiedSnapshot(genesis, source.base);
    verified = at.height;
    while (at.height < source.height) {
      const blocks = await source.range(at.height + 1);
      if (blocks.length === 0) return { verified, problem: `block ${at.height + 1} is missing` };
      for (const block of blocks) {
        at = verifyNextBlock(at, block);
        verified = at.height;
      }
      progress(verified, source.height);
    }
    return { verified };
  } catch (error) {
    if (!isItChainError(error) || error.code === 'ERR_CLI_CANNOT_CONNECT') throw error;
    return { verified, problem: error.message };
  }
}

/** Checks a running node: its store by itself, its blocks by us. */
export async function verifyOnline(
  client: Client,
  progress: (height: number, tip: number) => void,
): Promise<ChainVerdict> {
  const store = await client.verifyStore();
  const [status, genesis] = await Promise.all([client.status(), client.genesis()]);
  const source = runningSource(client, status.height, genesis);
  const { verified, problem } = await verifyBlocks(source, progress);
  const problems = problem === undefined ? store.problems : [...store.problems, problem];
  return { online: true, entries: store.entries, bytes: store.bytes, height: status.height, verified, problems };
}

/** The blocks of a running node. */
export const runningSource = (
  client: Client,
  height: number,
  reply: Pick<Awaited<ReturnType<Client['genesis']>>, 'genesis' | 'settled' | 'base'>,
): ChainSource => ({
  genesis: reply.settled ? reply.genesis : undefined,
  height,
  base: reply.base,
  range: async (from) => (await client.blocks(from, 200)).map(({ certified }) => certified),
});
