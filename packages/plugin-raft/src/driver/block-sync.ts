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

  /** Fetches and commits the blocks behind `tip` up to `to`, as far as the peer has them. Returns the tip reached. */
  async run(tip: ChainTip, peer: string, to: number): Promise<ChainTip> {
    const { blocks } = await this.#with.chain.fetch({ from: tip.height + 1, to, peers: [peer] });
    let reached = tip;
    try {
      for (const [index, certified] of blocks.entries()) {
        reached = await this.#commit(certified, reached, index === blocks.length - 1);
      }
    } catch (error) {
      if (!isItChainError(error) || !WRONG.has(error.code)) throw error;
      this.#with.log.warn('a peer sent a block that does not hold', { peer, error: messageOf(error) });
      this.#with.onWrong(peer);
    }
    if (reached.height > tip.height) this.#with.log.info('caught up', { from: tip.height, to: reached.height });
    return reached;
  }

  async #commit(certified: CertifiedBlock, tip: ChainTip, last: boolean): Promise<ChainTip> {
    const block = Block.decode(certified.block);
    const certificate = Certificate.decode(certified.certificate);
    const { height } = BlockHeader.decodeCanonical(block.header);
    const digest = headerDigest(block.header, this.#network);
    const of = { network: this.#network, set: tip.validators, digest };
    const due = height === tip.height + 1 && certificate.height === height;
    if (!due || !(await isCertified(certificate, of, this.#with.verify))) {
      throw failure('ERR_CERTIFICATE_INVALID', `the certificate of block ${height} is not that of a majority`);
    }
    return this.#with.chain.commit({ height, digest, certificate, block, clearLogBelow: height + 1, sync: last });
  }
}
