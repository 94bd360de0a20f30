import {
  failure,
  messageOf,
  readSnapshot,
  type Chain,
  type ChainTip,
  type Genesis,
  type Log,
  type SignatureCheck,
} from '@it-chain/contracts';
import { isWrong } from './wrong-data.js';

/** A peer and the height that it claims to be at. */
export interface Source {
  readonly nodeId: string;
  readonly height: number;
}

/** What is needed to begin with a snapshot; the same as for block sync. */
export interface SnapshotStartDependencies {
  readonly chain: Chain;
  readonly log: Log;
  readonly verify: (checks: readonly SignatureCheck[]) => Promise<boolean[]>;
  /** Runs with the present tip while nothing else commits; tells where the tip is afterwards. */
  readonly exclusive: (work: (tip: ChainTip) => Promise<ChainTip>) => Promise<void>;
  /** A peer offered a snapshot that does not hold. */
  readonly onWrong: (nodeId: string, reason: string) => void;
}

/** Begins with a snapshot, where this is a new node that is far behind and a peer offers one that saves enough. */
export class SnapshotStart {
  readonly #genesis: Genesis;
  readonly #after: number;
  /** Peers whose snapshot did not hold; they are asked for blocks only. */
  readonly #refused = new Set<string>();
  readonly #with: SnapshotStartDependencies;

  constructor(
    options: { readonly genesis: Genesis; readonly snapshotAfterBlocks: number },
    dependencies: SnapshotStartDependencies,
  ) {
    this.#genesis = options.genesis;
    this.#after = options.snapshotAfterBlocks;
    this.#with = dependencies;
  }

  /** @returns true where a snapshot was taken: the tip is that of the snapshot now */
  async begin(height: number, sources: readonly Source[]): Promise<boolean> {
    const { chain, log, verify, onWrong } = this.#with;
    const far = sources.filter((one) => one.height > this.#after);
    if (this.#after === 0 || height > 0 || far.length === 0) return false;
    if (chain.findSnapshot === undefined || chain.restore === undefined) return false;
    let source = '';
    try {
      const asked = far.map(({ nodeId }) => nodeId).filter((peer) => !this.#refused.has(peer));
      const { snapshot, peer } = await chain.findSnapshot({ peers: asked });
      // By what its own peer says of its tip: whatever another one boasts of makes no snapshot look too low.
      const tip = far.find(({ nodeId }) => nodeId === peer)?.height ?? 0;
      if (snapshot === undefined || 2 * snapshot.height < tip) return false;
      source = peer;
      this.#refused.add(peer);
      const verdicts = await verify(readSnapshot(this.#genesis, snapshot).checks);
      if (!verdicts.every(Boolean)) {
        throw failure('ERR_CERTIFICATE_INVALID', `the snapshot of height ${snapshot.height} has invalid signatures`);
      }
      // A block may have been decided meanwhile: with that the chain has begun, and no snapshot is at fault.
      await this.#with.exclusive(async (tip) =>
        tip.height > 0 || chain.restore === undefined ? tip : chain.restore({ snapshot, peer }),
      );
      return true;
    } catch (error) {
      if (isWrong(error) && source !== '') onWrong(source, error.message);
      log.warn('no snapshot was taken; blocks are fetched instead', { peer: source, reason: messageOf(error) });
      return false;
    }
  }
}
