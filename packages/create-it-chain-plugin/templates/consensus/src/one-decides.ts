import { Block, Consensus, failure, hasCode, headerDigest, heightKey, messageOf, sameBytes } from '@it-chain/contracts';
import type { Chain, ChainTip, Identity, PluginContext, Storage, TxPool } from '@it-chain/contracts';

/** What it calls. */
export interface Roles {
  readonly chain: Chain;
  readonly identity: Identity;
  readonly storage: Storage;
  readonly txpool: TxPool;
}

/** Consensus where this node is the only validator: what waits becomes a block with its one signature. */
export class OneDecides {
  #work: Promise<void> = Promise.resolve();
  #stopped = false;
  #waiting = '';

  constructor(
    readonly context: Pick<PluginContext, 'emit' | 'fatal' | 'identity' | 'log'>,
    readonly roles: Roles,
  ) {}

  /** Decides until there is no work left, one look after the other. What fails is tried again with the next look. */
  look(): Promise<void> {
    this.#work = this.#work.then(async () => {
      try {
        while (!this.#stopped && (await this.#decide()));
        this.#waiting = '';
      } catch (error) {
        this.#waiting = messageOf(error).slice(0, 512);
        if (hasCode(error, 'ERR_IDENTITY_DOUBLE_SIGN')) this.context.fatal('safety', error);
        if (!hasCode(error, 'ERR_NETWORK_UNFOUNDED')) this.context.log.warn('no block', { reason: this.#waiting });
      }
    });
    return this.#work;
  }

  stop(): Promise<void> {
    this.#stopped = true;
    return this.#work;
  }

  async status(): ReturnType<Consensus['status']> {
    const { height } = await this.roles.chain.tip({}).catch(() => ({ height: -1 }));
    const leader = height < 0 ? new Uint8Array(0) : this.context.identity.publicKey;
    return {
      height: height + 1,
      round: 0,
      leader,
      quorum: 1,
      validator: height >= 0,
      views: [],
      waiting: this.#waiting,
    };
  }

  async #decide(): Promise<boolean> {
    const { chain, identity, txpool } = this.roles;
    const tip = await chain.tip({});
    const { validators } = tip.nextValidators;
    if (
      validators.length !== 1 ||
      !sameBytes(validators[0]?.publicKey ?? tip.digest, this.context.identity.publicKey)
    ) {
      throw failure(
        'ERR_CONSENSUS_NOT_SOLO',
        `this engine decides alone; the network has ${validators.length} validators`,
      );
    }
    if (tip.rootCertified && (await txpool.status({})).count === 0) return false;
    const block = await this.#next(tip);
    // What waits may not be for this block; an empty one has work only while the last root is not certified.
    if (tip.rootCertified && block.transactions.length === 0) return false;
    const [height, digest] = [tip.height + 1, headerDigest(block.header, tip.network)];
    const vote = { type: 'commit' as const, height, round: 0, digest };
    const { signature } = await identity.signVote({ network: tip.network, vote });
    const certificate = { height, round: 0, digest, seals: [{ validator: 0, signature }] };
    await chain.commit({ height, digest, certificate, block, clearLogBelow: height + 1, sync: true });
    await this.context.emit(Consensus.events.round, {
      height: height + 1,
      round: 0,
      leader: this.context.identity.publicKey,
    });
    return true;
  }

  /** The block for the next height. It is in the log before it is signed: after a crash the same one is signed again. */
  async #next(tip: ChainTip): Promise<Block> {
    const place = { namespace: 'wal' as const, key: heightKey(tip.height + 1) };
    const { values } = await this.roles.storage.read({ namespace: 'wal', keys: [place.key] });
    if (values[0]?.value !== undefined) return Block.decode(values[0].value);
    const { block } = await this.roles.chain.build({ height: tip.height + 1 });
    if (block.transactions.length === 0 && tip.rootCertified) return block;
    const writes = [{ ...place, value: Block.encode(block) }];
    await this.roles.storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
    return block;
  }
}
