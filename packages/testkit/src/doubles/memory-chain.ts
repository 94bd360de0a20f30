import {
  Block,
  BlockHeader,
  Certificate,
  concatBytes,
  failure,
  genesisValidators,
  headerDigest,
  heightKey,
  merkleRoot,
  quorumOf,
  sameBytes,
  sha256,
  toHex,
  validatorSetHash,
  type CertifiedBlock,
  type ChainTip,
  type Genesis,
} from '@it-chain/contracts';
import type { ManualClock } from './manual-clock.js';
import type { MemoryStorage } from './memory-storage.js';

/** A chain that keeps the rules consensus relies on and executes nothing. */
export class MemoryChain {
  readonly blocks: CertifiedBlock[] = [];
  readonly tips: ChainTip[];
  commits = 0;
  /** Commits that a power cut may take back: they were asked for without a sync. */
  unsynced = 0;
  /** Transactions that this node's own blocks leave out: a leader that censors. */
  leavesOut: (transaction: Uint8Array) => boolean = () => false;
  readonly #bodies = new Map<string, Block>();

  constructor(
    readonly network: Uint8Array,
    genesis: Genesis,
    readonly self: Uint8Array,
    readonly pool: Map<string, Uint8Array>,
    readonly storage: MemoryStorage,
    readonly clock: ManualClock,
    /** Seals that make a certificate among `n` validators. */
    readonly quorum: (n: number) => number = quorumOf,
  ) {
    const set = genesisValidators(genesis);
    this.tips = [
      {
        network,
        height: 0,
        digest: network,
        stateRoot: new Uint8Array(32),
        rootCertified: true,
        time: genesis.time,
        proposer: genesis.founder,
        proposerSequence: 0,
        validators: set,
        nextValidators: set,
        learners: [],
        systemRoot: new Uint8Array(32),
        applicationRoot: new Uint8Array(32),
      },
    ];
  }

  get tip(): ChainTip {
    const tip = this.tips.at(-1);
    if (tip === undefined) throw new Error('no tip');
    return tip;
  }

  /** The call `block.build`. */
  build(height: number): { block: Block; digest: Uint8Array } {
    const { tip } = this;
    if (height !== tip.height + 1) throw failure('ERR_BLOCK_INVALID', 'not the next height');
    const transactions = [...this.pool.values()].filter((transaction) => !this.leavesOut(transaction));
    const sequence = tip.validators.validators.find(({ publicKey }) => sameBytes(publicKey, this.self))?.sequence ?? 0;
    const header = BlockHeader.encode({
      version: 1,
      network: this.network,
      height,
      previous: tip.digest,
      proposer: this.self,
      proposerSequence: sequence,
      time: Math.max(this.clock.now(), tip.time + 1),
      transactionRoot: merkleRoot(transactions),
      transactionCount: transactions.length,
      previousStateRoot: tip.stateRoot,
      validators: validatorSetHash(tip.validators),
      nextValidators: validatorSetHash(tip.nextValidators),
    });
    const block = { header, transactions };
    const digest = headerDigest(header, this.network);
    this.#bodies.set(toHex(digest), block);
    return { block, digest };
  }

  /** The call `block.check`. */
  check(block: Block): { valid: boolean; digest: Uint8Array; reason: string } {
    const digest = headerDigest(block.header, this.network);
    const header = BlockHeader.decode(block.header);
    const valid = sameBytes(header.transactionRoot, merkleRoot(block.transactions));
    if (valid) this.#bodies.set(toHex(digest), block);
    return { valid, digest, reason: valid ? '' : 'the transactions are not those of the header' };
  }

  /** The call `block.commit`. */
  async commit(
    height: number,
    digest: Uint8Array,
    certificate: Certificate,
    given?: Block,
    clearLogBelow = 0,
  ): Promise<ChainTip> {
    const { tip } = this;
    if (height <= tip.height) return tip;
    const block = given ?? this.#bodies.get(toHex(digest));
    if (block === undefined) throw failure('ERR_BLOCK_NOT_FOUND', 'no body');
    const header = BlockHeader.decode(block.header);
    if (!sameBytes(header.previous, tip.digest) || !this.check(block).valid)
      throw failure('ERR_BLOCK_INVALID', 'wrong body');
    if (certificate.seals.length < this.quorum(tip.validators.validators.length))
      throw failure('ERR_BLOCK_INVALID', 'too few seals');
    this.commits += 1;
    for (const transaction of block.transactions) this.pool.delete(toHex(transaction));
    this.blocks.push({ block: Block.encode(block), certificate: Certificate.encode(certificate) });
    const changes = block.transactions.length > 0;
    this.tips.push({
      ...tip,
      height,
      digest,
      stateRoot: changes ? sha256(concatBytes(tip.stateRoot, ...block.transactions)) : tip.stateRoot,
      rootCertified: !changes,
      time: header.time,
      proposer: header.proposer,
      proposerSequence: header.proposerSequence,
      validators: tip.nextValidators,
    });
    const dead = await this.storage.range({
      namespace: 'wal',
      from: new Uint8Array(0),
      to: heightKey(clearLogBelow),
      limit: 0,
      maxBytes: 0,
      reverse: false,
    });
    const writes = dead.entries.map(({ key }) => ({ namespace: 'wal' as const, key }));
    await this.storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
    return this.tip;
  }
}
