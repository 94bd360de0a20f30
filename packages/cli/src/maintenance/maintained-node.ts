import { failure, isItChainError, type Registration } from '@it-chain/contracts';
import type { NodeServices } from '@it-chain/kernel';
import { verifyBlocks } from '../node/verify-chain.js';
import type { Io } from '../terminal/io.js';
import { StoppedNode } from './stopped-node.js';
import { finishSwap } from './swap-store.js';

/** A stopped node whose key and lock are held, and whose store is open where it opens. */
export interface Opened {
  readonly holder: StoppedNode;
  readonly identity: NonNullable<NodeServices['identity']>;
  /** The store and the chain, where they open. */
  readonly old: StoppedNode | undefined;
  readonly problems: readonly string[];
}

/** @throws ERR_CLI_USAGE where the operator has not said --yes; `what` says what would be done */
export function requireYes(yes: boolean, what: string): void {
  if (yes) return;
  throw failure('ERR_CLI_USAGE', `nothing was changed: ${what}`, {
    hint: 'Give --yes to do it; the old store is kept beside the new one.',
  });
}

/** Holds key and lock of the node in one part, and opens its store in another, which may fail. */
export async function withNode<T>(
  verb: string,
  options: { readonly config: string | undefined },
  io: Io,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const { config } = options;
  const holder = await StoppedNode.open({ config, verb, roles: [] }, io);
  const registration: Registration = { close: () => Promise.resolve() };
  const identity: Opened['identity'] = {
    identity: holder.identity,
    serve: () => Promise.resolve(registration),
    close: () => Promise.resolve(),
  };
  let old: StoppedNode | undefined;
  try {
    await finishSwap(holder.dataDir);
    const problems: string[] = [];
    try {
      // The check before the start would refuse a store of which most can still be read.
      const flags = verb === 'chain repair' ? [{ path: 'storage.checkAtStartBytes', value: 0 }] : [];
      old = await StoppedNode.open({ config, verb, identity, flags }, io);
    } catch (error) {
      if (!isItChainError(error)) throw error;
      problems.push(error.message);
    }
    return await work({ holder, identity, old, problems });
  } finally {
    await old?.stop();
    await holder.stop();
  }
}

/** All that is wrong with the values and the blocks of a store that opens. */
export async function problemsOf(
  old: StoppedNode,
  progress: (height: number, to: number) => void,
): Promise<readonly string[]> {
  const { problems } = await old.storage.verify({});
  const tip = await old.tip();
  const genesis = await readable(() => old.genesis());
  const source = {
    genesis,
    height: tip?.height ?? 0,
    base: await readable(() => old.base()),
    range: async (from: number) => (await old.chain.range({ from, maxCount: 100, maxBytes: 0 })).blocks,
  };
  const { problem } = await verifyBlocks(source, progress);
  return problem === undefined ? problems : [...problems, problem];
}

/** What can be read; undefined where it is damaged. */
export async function readable<T>(read: () => Promise<T> | undefined): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isItChainError(error)) return undefined;
    throw error;
  }
}
