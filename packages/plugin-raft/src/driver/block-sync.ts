import {
  Block,
  BlockHeader,
  Certificate,
  certificateChecks,
  failure,
  headerDigest,
  isItChainError,
  majorityOf,
  messageOf,
  type CertifiedBlock,
  type Chain,
  type ChainTip,
  type Log,
  type SignatureCheck,
  type ValidatorSet,
} from '@it-chain/contracts';

/** What the sync works with. */
export interface BlockSyncDependencies {
  readonly chain: Chain;
  readonly log: Log;
  readonly verify: (checks: readonly SignatureCheck[]) => Promise<boolean[]>;
  /** A peer sent a block without a valid certificate. */
  readonly onWrong: (nodeId: string) => void;
}

const WRONG = new Set(['ERR_CERTIFICATE_INVALID', 'ERR_DATA_MALFORMED', 'ERR_BLOCK_INVALID']);

/** True where a majority of this set has signed for the block. Never throws for what a peer sent. */
export async function isCertified(
  certificate: Certificate,
  of: { readonly network: Uint8Array; readonly set: ValidatorSet; readonly digest: Uint8Array },
  verify: BlockSyncDependencies['verify'],
): Promise<boolean> {
  try {
    const verdicts = await verify(certificateChecks(certificate, of.network, of.set, of.digest, majorityOf));
    return verdicts.length > 0 && verdicts.every(Boolean);
  } catch (error) {
    if (isItChainError(error) && error.code === 'ERR_CERTIFICATE_INVALID') return false;
    throw error;
  }
}

/** Catches up from peers by certificates, each checked against the validators of its height. */
export class BlockSync {
  readonly #network: Uint8Array;
  readonly #with: BlockSyncDependencies;

  constructor(options: { readonly network: Uint8Array }, dependencies: BlockSyncDependencies) {
    this.#network = options.network;
    this.#with = dependencies;
  }

  /** The blocks from `from` to `to`, as far as the peer has them. Nothing of them is checked, and it may take its time. */
  async fetch(from: number, to: number, peer: string): Promise<readonly CertifiedBlock[]> {
    return (await this.#with.chain.fetch({ from, to, peers: [peer] })).blocks;
  }

  /** Commits fetched blocks on `tip`; those at or below it were committed meanwhile. Returns the tip reached. */
  async commit(tip: ChainTip, blocks: readonly CertifiedBlock[], peer: string): Promise<ChainTip> {
    let reached = tip;
    try {
      for (const certified of blocks) reached = await this.#commit(certified, reached);
    } catch (error) {
      if (!isItChainError(error) || !WRONG.has(error.code)) throw error;
      this.#with.log.warn('a peer sent a block that does not hold', { peer, error: messageOf(error) });
      this.#with.onWrong(peer);
    }
    if (reached.height > tip.height) this.#with.log.info('caught up', { from: tip.height, to: reached.height });
    return reached;
  }

  /** Synced each: it is told as committed at once, and must still be there after a power cut. */
  async #commit(certified: CertifiedBlock, tip: ChainTip): Promise<ChainTip> {
    const block = Block.decode(certified.block);
    const certificate = Certificate.decode(certified.certificate);
    const { height } = BlockHeader.decodeCanonical(block.header);
    if (height <= tip.height) return tip;
    const digest = headerDigest(block.header, this.#network);
    const of = { network: this.#network, set: tip.validators, digest };
    const due = height === tip.height + 1 && certificate.height === height;
    if (!due || !(await isCertified(certificate, of, this.#with.verify))) {
      throw failure('ERR_CERTIFICATE_INVALID', `the certificate of block ${height} is not that of a majority`);
    }
    return this.#with.chain.commit({ height, digest, certificate, block, clearLogBelow: height + 1, sync: true });
  }
}
