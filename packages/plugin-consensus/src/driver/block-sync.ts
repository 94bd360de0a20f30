import {
  Block,
  BlockHeader,
  Certificate,
  certificateChecks,
  failure,
  headerDigest,
  isItChainError,
  messageOf,
  readSnapshot,
  sameBytes,
  toHex,
  type CertifiedBlock,
  type Chain,
  type ChainTip,
  type Counter,
  type Genesis,
  type Log,
  type SignatureCheck,
} from '@it-chain/contracts';

/** What block sync works with. */
export interface BlockSyncDependencies {
  readonly chain: Chain;
  readonly log: Log;
  readonly blocks: Counter;
  readonly verify: (checks: readonly SignatureCheck[]) => Promise<boolean[]>;
  /** Connected peers and the heights they claim, this node's bans left out; the most promising first. */
  readonly sources: () => readonly { readonly nodeId: string; readonly height: number }[];
  /** A peer sent a block without a valid certificate. */
  readonly onWrong: (nodeId: string, reason: string) => void;
  readonly onCommitted: (tip: ChainTip) => void;
  readonly isStopped: () => boolean;
}

/** A certified block that was read, and who sent it. */
interface ReadBlock {
  readonly block: Block;
  readonly certificate: Certificate;
  readonly height: number;
  readonly digest: Uint8Array;
  readonly source: string;
}

/** Most peers that are asked for one range. */
const MAX_SOURCES = 3;

/**
 * Catches up by certificates: a peer can withhold, it cannot lie. Blocks are verified against the set of their height,
 * which follows from the blocks before, and committed one after the other.
 */
export class BlockSync {
  readonly #batch: number;
  readonly #network: Uint8Array;
  readonly #genesis: Genesis;
  readonly #snapshotAfter: number;
  /** Peers whose snapshot did not hold; they are asked for blocks only. */
  readonly #refused = new Set<string>();
  readonly #with: BlockSyncDependencies;

  constructor(
    options: {
      readonly network: Uint8Array;
      readonly genesis: Genesis;
      readonly syncBlocks: number;
      readonly snapshotAfterBlocks: number;
    },
    dependencies: BlockSyncDependencies,
  ) {
    this.#network = options.network;
    this.#genesis = options.genesis;
    this.#snapshotAfter = options.snapshotAfterBlocks;
    this.#batch = options.syncBlocks;
    this.#with = dependencies;
  }

  /** Fetches and commits from `tip` on until nobody is ahead or nobody helps. Returns the tip that was reached. */
  async run(tip: ChainTip): Promise<ChainTip> {
    let reached = tip;
    while (!this.#with.isStopped()) {
      const ahead = this.#with.sources().filter(({ height }) => height > reached.height);
      const target = Math.max(reached.height, ...ahead.map(({ height }) => height));
      if (target === reached.height) break;
      const peers = ahead.slice(0, MAX_SOURCES).map(({ nodeId }) => nodeId);
      const begun = await this.#snapshot(reached, target, peers);
      if (begun !== undefined) {
        reached = begun;
        this.#with.onCommitted(reached);
        continue;
      }
      const before = reached.height;
      const to = Math.min(target, before + this.#batch);
      reached = await this.#range(reached, to, peers);
      if (reached.height === before) break;
      this.#with.onCommitted(reached);
    }
    return reached;
  }

  /** The tip after a snapshot, where this is a new node that is far behind and a peer offers one that saves enough. */
  async #snapshot(tip: ChainTip, target: number, peers: readonly string[]): Promise<ChainTip | undefined> {
    const { chain, log, verify, onWrong } = this.#with;
    const isFar = this.#snapshotAfter > 0 && tip.height === 0 && target > this.#snapshotAfter;
    if (!isFar || chain.findSnapshot === undefined || chain.restore === undefined) return undefined;
    let source = '';
    try {
      const asked = peers.filter((peer) => !this.#refused.has(peer));
      const { snapshot, peer } = await chain.findSnapshot({ peers: asked });
      if (snapshot === undefined || 2 * snapshot.height < target) return undefined;
      source = peer;
      this.#refused.add(peer);
      const verdicts = await verify(readSnapshot(this.#genesis, snapshot).checks);
      if (!verdicts.every(Boolean)) {
        throw failure('ERR_CERTIFICATE_INVALID', `the snapshot of height ${snapshot.height} has invalid signatures`);
      }
      return await chain.restore({ snapshot, peer });
    } catch (error) {
      if (isItChainError(error) && WRONG.has(error.code) && source !== '') onWrong(source, error.message);
      log.warn('no snapshot was taken; blocks are fetched instead', { peer: source, reason: messageOf(error) });
      return undefined;
    }
  }

  async #range(tip: ChainTip, to: number, peers: readonly string[]): Promise<ChainTip> {
    const { blocks, sources } = await this.#with.chain.fetch({ from: tip.height + 1, to, peers });
    let reached = tip;
    for (const [index, certified] of blocks.entries()) {
      const source = sources[index] ?? '';
      try {
        const read = readCertified(certified, source, this.#network);
        await this.#verify(read, reached);
        reached = await this.#commit(read);
        this.#with.blocks.add();
      } catch (error) {
        if (!isItChainError(error) || !WRONG.has(error.code)) throw error;
        this.#with.log.warn('a peer sent a block that does not hold', { peer: source, error: messageOf(error) });
        this.#with.onWrong(source, error.message);
        break;
      }
    }
    if (reached.height > tip.height) this.#with.log.info('caught up', { from: tip.height, to: reached.height });
    return reached;
  }

  async #verify(read: ReadBlock, tip: ChainTip): Promise<void> {
    if (read.height !== tip.height + 1 || read.certificate.height !== read.height) {
      throw failure(
        'ERR_CERTIFICATE_INVALID',
        `a block of height ${read.height} came where ${tip.height + 1} was asked for`,
      );
    }
    await this.#verifyCertificate(read, tip.validators);
  }

  async #verifyCertificate(read: ReadBlock, set: ChainTip['validators']): Promise<void> {
    const verdicts = await this.#with.verify(certificateChecks(read.certificate, this.#network, set, read.digest));
    if (verdicts.length > 0 && verdicts.every(Boolean)) return;
    throw failure('ERR_CERTIFICATE_INVALID', `the certificate of height ${read.height} has invalid signatures`);
  }

  /** Synced each: what is told as committed must still be there after a power cut, also in the middle of catching up. */
  #commit({ height, digest, certificate, block }: ReadBlock): Promise<ChainTip> {
    return this.#with.chain.commit({ height, digest, certificate, block, clearLogBelow: height + 1, sync: true });
  }

  /**
   * Asks a peer for the block that it holds at a height committed here.
   * @returns the digest of a block that is validly certified and not ours: safety is broken
   */
  async audit(peer: string, height: number, ours: Uint8Array): Promise<Uint8Array | undefined> {
    const { blocks } = await this.#with.chain.fetch({ from: height, to: height, peers: [peer] });
    const first = blocks[0];
    return first === undefined ? undefined : this.judge(readCertified(first, peer, this.#network), ours);
  }

  /** The digest of a certified block of a committed height, where it is valid and not ours. */
  async judge(read: ReadBlock, ours: Uint8Array): Promise<Uint8Array | undefined> {
    if (sameBytes(read.digest, ours)) return undefined;
    const { validators } = await this.#with.chain.validators({ height: read.height });
    try {
      await this.#verifyCertificate(read, validators);
    } catch (error) {
      if (!isItChainError(error)) throw error;
      this.#with.onWrong(read.source, error.message);
      return undefined;
    }
    return read.digest;
  }
}

/** What a peer answers for with its standing. */
const WRONG = new Set(['ERR_CERTIFICATE_INVALID', 'ERR_DATA_MALFORMED', 'ERR_BLOCK_INVALID', 'ERR_SNAPSHOT_INVALID']);

function readCertified(certified: CertifiedBlock, source: string, network: Uint8Array): ReadBlock {
  const block = Block.decode(certified.block);
  return readDecided(block, Certificate.decode(certified.certificate), source, network);
}

/** Puts a block and its certificate together. @throws ERR_DATA_MALFORMED for a header that cannot be read */
export function readDecided(block: Block, certificate: Certificate, source: string, network: Uint8Array): ReadBlock {
  const { height } = BlockHeader.decodeCanonical(block.header);
  return { block, certificate, height, digest: headerDigest(block.header, network), source };
}

/** The sentence of a safety violation. */
export function violation(height: number, first: Uint8Array, second: Uint8Array): Error {
  return failure(
    'ERR_SAFETY_VIOLATION',
    `two blocks were decided at height ${height}: ${toHex(first)} and ${toHex(second)}`,
  );
}
