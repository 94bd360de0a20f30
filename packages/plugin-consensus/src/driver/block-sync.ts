import {
  Block,
  BlockHeader,
  Certificate,
  certificateChecks,
  failure,
  headerDigest,
  messageOf,
  sameBytes,
  toHex,
  type CertifiedBlock,
  type Chain,
  type ChainTip,
  type Clock,
  type Counter,
  type FetchBlocksAnswer,
  type Genesis,
  type Infer,
  type Log,
  type SignatureCheck,
} from '@it-chain/contracts';
import { SnapshotStart, type Source } from './snapshot-start.js';
import { isWrong } from './wrong-data.js';

/** What block sync works with. */
export interface BlockSyncDependencies {
  readonly chain: Chain;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Log;
  readonly blocks: Counter;
  readonly verify: (checks: readonly SignatureCheck[]) => Promise<boolean[]>;
  /** Height of the last block that was committed, as far as this plugin knows. */
  readonly height: () => number;
  /** Connected peers and the heights they claim, this node's bans left out; the most promising first. */
  readonly sources: () => readonly Source[];
  /** Runs with the present tip while nothing else commits; tells where the tip is afterwards. */
  readonly exclusive: (work: (tip: ChainTip) => Promise<ChainTip>) => Promise<void>;
  /** The tip has moved within a range that is being committed, and its end is near. */
  readonly onNearTip: (tip: ChainTip) => void;
  /** A peer sent a block without a valid certificate. */
  readonly onWrong: (nodeId: string, reason: string) => void;
  readonly isStopped: () => boolean;
}

type FetchedBlocks = Infer<typeof FetchBlocksAnswer>;

/** Blocks without a gap, who sent each, and who was asked. */
type FetchedRange = FetchedBlocks & { readonly asked: ReadonlySet<string> };

/** A certified block that was read, and who sent it. */
interface ReadBlock {
  readonly block: Block;
  readonly certificate: Certificate;
  readonly height: number;
  readonly digest: Uint8Array;
  readonly source: string;
}

/** So close to the end of a range each tip is told: whoever hears of the last only is one block too late for each vote. */
const NEAR_BLOCKS = 3;
/** Most peers that are asked for one range. */
const MAX_SOURCES = 3;
/** How long a peer that was asked in vain is not asked again, in ms; twice as long each further time, up to the longest. */
const UNHELPFUL_MS = 2_000;
const LONGEST_UNHELPFUL_MS = 60_000;

/**
 * Catches up by certificates: a peer can withhold, it cannot lie. Blocks are verified against the set of their height,
 * which follows from the blocks before, and committed one after the other.
 */
export class BlockSync {
  readonly #batch: number;
  readonly #network: Uint8Array;
  readonly #snapshot: SnapshotStart;
  /** Peers that gave nothing of what they said they have: how often, and until when they are not asked, in monotonic ms. */
  readonly #unhelpful = new Map<string, { readonly times: number; readonly until: number }>();
  readonly #with: BlockSyncDependencies;
  #running: Promise<void> | undefined;
  /** Ends the wait for an answer, to look at who is ahead now. */
  #wake: (() => void) | undefined;

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
    this.#batch = options.syncBlocks;
    this.#with = dependencies;
    this.#snapshot = new SnapshotStart(options, dependencies);
  }

  /**
   * Fetches and commits until nobody is ahead or nobody helps. Whoever is asked may never answer, so nothing else waits for
   * it: blocks that are decided meanwhile are committed, and a peer that turns out to be ahead is asked besides.
   */
  run(): Promise<void> {
    this.#wake?.();
    this.#running ??= this.#all().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #all(): Promise<void> {
    while (!this.#with.isStopped()) {
      const { height } = this.#with;
      const from = height();
      const ahead = this.#ahead(from);
      const target = Math.max(from, ...ahead.map((source) => source.height));
      if (target === from) break;
      const asked = ahead.slice(0, MAX_SOURCES);
      const peers = asked.map(({ nodeId }) => nodeId);
      if (await this.#snapshot.begin(from, asked)) continue;
      const fetched = await this.#fetch(from, Math.min(target, from + this.#batch), peers);
      if (fetched === undefined) continue;
      if (fetched.blocks.length > 0) await this.#with.exclusive((tip) => this.#range(tip, fetched));
      // Where blocks came that do not hold, those who did not send them are not to blame.
      if (height() <= from) this.#noteUnhelpful(fetched.sources.length > 0 ? new Set(fetched.sources) : fetched.asked);
    }
  }

  /** Who claims to be above a height and has not been asked in vain a moment ago. */
  #ahead(height: number): Source[] {
    const now = this.#with.clock.monotonic();
    const sources = this.#with.sources();
    // Whoever has lost its session since may have had no way to answer.
    for (const nodeId of this.#unhelpful.keys()) {
      if (!sources.some((source) => source.nodeId === nodeId)) this.#unhelpful.delete(nodeId);
    }
    return sources.filter(
      (source) => source.height > height && (this.#unhelpful.get(source.nodeId)?.until ?? 0) <= now,
    );
  }

  /** They said that they have blocks, and gave none: they are left alone for a while, each time for longer. */
  #noteUnhelpful(peers: Iterable<string>): void {
    const now = this.#with.clock.monotonic();
    for (const peer of peers) {
      const times = (this.#unhelpful.get(peer)?.times ?? 0) + 1;
      const pause = Math.min(UNHELPFUL_MS * 2 ** (times - 1), LONGEST_UNHELPFUL_MS);
      this.#unhelpful.set(peer, { times, until: now + pause });
    }
  }

  /**
   * Blocks above a height; none where nobody of those who were asked has the first. A peer that turns out to be ahead while
   * others are waited for is asked beside them. Undefined where all of it was decided here meanwhile.
   */
  async #fetch(from: number, to: number, peers: readonly string[]): Promise<FetchedRange | undefined> {
    const asked = new Set<string>();
    const open = new Set<Promise<FetchedBlocks | undefined>>();
    const ask = (some: readonly string[]): void => {
      for (const peer of some) asked.add(peer);
      const answer = this.#ask(from, to, some).finally(() => open.delete(answer));
      open.add(answer);
    };
    ask(peers);
    while (open.size > 0) {
      const woken = new Promise<undefined>((resolve) => (this.#wake = () => resolve(undefined)));
      const fetched = await Promise.race([...open, woken]);
      this.#wake = undefined;
      if (fetched !== undefined && fetched.blocks.length > 0) return { ...fetched, asked };
      if (this.#with.height() >= to) return undefined;
      const others = this.#ahead(this.#with.height()).filter(({ nodeId }) => !asked.has(nodeId));
      const more = others.slice(0, MAX_SOURCES - asked.size).map(({ nodeId }) => nodeId);
      if (more.length > 0) ask(more);
    }
    return { blocks: [], sources: [], asked };
  }

  /** Undefined where the chain cannot ask them: then somebody else is asked, or the next STATUS begins anew. */
  #ask(from: number, to: number, peers: readonly string[]): Promise<FetchedBlocks | undefined> {
    return this.#with.chain.fetch({ from: from + 1, to, peers: [...peers] }).catch((error: unknown) => {
      this.#with.log.debug('no blocks could be fetched', { from: from + 1, to, error: messageOf(error) });
      return undefined;
    });
  }

  async #range(tip: ChainTip, { blocks, sources }: FetchedBlocks): Promise<ChainTip> {
    let reached = tip;
    for (const [index, certified] of blocks.entries()) {
      const source = sources[index] ?? '';
      if (this.#with.isStopped()) break;
      try {
        const read = readCertified(certified, source, this.#network);
        // Decided here while it was fetched.
        if (read.height <= tip.height) continue;
        await this.#verify(read, reached);
        reached = await this.#commit(read);
      } catch (error) {
        if (!isWrong(error)) throw error;
        this.#with.log.warn('a peer sent a block that does not hold', { peer: source, error: messageOf(error) });
        this.#with.onWrong(source, error.message);
        break;
      }
      this.#with.blocks.add();
      this.#unhelpful.delete(source);
      const left = blocks.length - 1 - index;
      if (left > 0 && left < NEAR_BLOCKS) this.#with.onNearTip(reached);
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
    return first === undefined ? undefined : this.judge(readCertified(first, peer, this.#network), height, ours);
  }

  /**
   * The digest of a certified block of a committed height, where it is valid and not ours. Header and certificate must both
   * be of that height: the set of another one, such as the founder alone, has no say here.
   */
  async judge(read: ReadBlock, height: number, ours: Uint8Array): Promise<Uint8Array | undefined> {
    if (sameBytes(read.digest, ours)) return undefined;
    if (read.height !== height || read.certificate.height !== height) {
      const shown = `a block of height ${read.height} under a certificate of height ${read.certificate.height}`;
      this.#with.onWrong(read.source, `${shown} was shown as that of height ${height}`);
      return undefined;
    }
    const { validators } = await this.#with.chain.validators({ height });
    try {
      await this.#verifyCertificate(read, validators);
    } catch (error) {
      if (!isWrong(error)) throw error;
      this.#with.onWrong(read.source, error.message);
      return undefined;
    }
    return read.digest;
  }
}

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
