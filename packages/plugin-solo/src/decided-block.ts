import {
  Block,
  BlockHeader,
  type Certificate,
  headerDigest,
  heightKey,
  message,
  nested,
  type BuiltBlock,
  type Chain,
  type ChainTip,
  type Identity,
  type Infer,
  type Storage,
} from '@it-chain/contracts';

const LoggedBlock = message('LoggedBlock', { block: nested(1, Block) });

/** What the log works with. */
export interface DecidedBlockDependencies {
  readonly storage: Storage;
  readonly chain: Chain;
}

/**
 * The block that this node decided for the open height: it is in `wal`, synced, before it is signed. A crash between the
 * signature and the commit would otherwise make another block of the same height, which the signing guard refuses.
 */
export class DecidedBlock {
  readonly #with: DecidedBlockDependencies;

  constructor(dependencies: DecidedBlockDependencies) {
    this.#with = dependencies;
  }

  /** The block of the height after `tip`: the one in the log, or a new one that is in the log now. */
  async next(tip: ChainTip): Promise<Infer<typeof BuiltBlock>> {
    const key = heightKey(tip.height + 1);
    const { values } = await this.#with.storage.read({ namespace: 'wal', keys: [key] });
    const logged = values[0]?.value;
    if (logged !== undefined) {
      const { block } = LoggedBlock.decode(logged);
      return { block, digest: headerDigest(block.header, tip.network) };
    }
    const built = await this.#with.chain.build({ height: tip.height + 1 });
    const value = LoggedBlock.encode({ block: built.block });
    await this.#with.storage.write({
      writes: [{ namespace: 'wal', key, value }],
      when: [],
      sync: true,
      writer: '',
      sequence: 0,
    });
    return built;
  }
}

/** The certificate of one: the COMMIT signature of the only validator. */
export async function certify(
  identity: Identity,
  network: Uint8Array,
  { block, digest }: Infer<typeof BuiltBlock>,
): Promise<Infer<typeof Certificate>> {
  const { height } = BlockHeader.decode(block.header);
  const vote = { type: 'commit' as const, height, round: 0, digest };
  const { signature } = await identity.signVote({ network, vote });
  return { height, round: 0, digest, seals: [{ validator: 0, signature }] };
}
