import {
  BlockLog,
  Consensus,
  failure,
  hasCode,
  isItChainError,
  messageOf,
  needsBlock,
  sameBytes,
  type Cancel,
  type Chain,
  type ChainTip,
  type ConsensusStatus,
  type Identity,
  type P2p,
  type PluginContext,
  type Storage,
  type TxPool,
} from '@it-chain/contracts';
import { certify } from './certify.js';
import type { SoloConfig } from './solo-config.js';

/** The roles that the one who decides calls. */
export interface SoloRoles {
  readonly chain: Chain;
  readonly identity: Identity;
  readonly p2p: P2p;
  readonly storage: Storage;
  readonly txpool: TxPool;
}

/**
 * The consensus role where this node is the only validator: whatever waits becomes a block, certified by its one signature.
 * One block at a time; what fails is tried again with the next event or the poll.
 */
export class SoloConsensus {
  readonly #context: PluginContext<SoloConfig>;
  readonly #roles: SoloRoles;
  readonly #log: BlockLog;
  #tip: ChainTip | undefined;
  #refused: string | undefined;
  #waiting = '';
  #running = false;
  #again = false;
  #stopped = false;
  /** Nothing of what the pool holds could be taken: until something changes it is no work. */
  #stuck = false;
  #toldHeight = 0;
  #poll: Cancel | undefined;
  readonly #stop = new AbortController();

  constructor(context: PluginContext<SoloConfig>, roles: SoloRoles) {
    this.#context = context;
    this.#roles = roles;
    this.#log = new BlockLog(roles);
  }

  /** Begins; founds first where the config says so. */
  start(): void {
    this.#poll = this.#context.clock.every(this.#context.config.pollMs, () => {
      this.#stuck = false;
      this.look();
    });
    this.look();
  }

  /** Decides nothing more. */
  stop(): void {
    this.#stopped = true;
    this.#poll?.();
    this.#stop.abort();
  }

  /** Transactions came into the pool. */
  accepted(): void {
    this.#stuck = false;
    this.look();
  }

  /** `consensus.status`. */
  status(): ConsensusStatus {
    const none = { height: 0, round: 0, leader: new Uint8Array(0), quorum: 0, validator: false, views: [] };
    if (this.#refused !== undefined) return { ...none, waiting: this.#refused.slice(0, 512) };
    if (this.#tip === undefined) return { ...none, waiting: 'this node belongs to no network yet' };
    const leader = this.#context.identity.publicKey;
    const height = this.#tip.height + 1;
    return { height, round: 0, leader, quorum: 1, validator: true, views: [], waiting: this.#waiting.slice(0, 512) };
  }

  /** Looks whether there is work, now or, while a block is being made, after it. */
  look(): void {
    this.#again = true;
    if (this.#running || this.#stopped) return;
    this.#running = true;
    void this.#run();
  }

  // Asked through a method: it may change while something is awaited.
  #isOver(): boolean {
    return this.#stopped || this.#refused !== undefined;
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#isOver()) {
      this.#again = false;
      try {
        await this.#work();
        this.#tell('');
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#running = false;
  }

  async #work(): Promise<void> {
    const tip = await this.#readTip();
    if (tip === undefined) return;
    this.#requireAlone(tip);
    this.#enter(tip);
    if (!(await this.#hasWork(tip)) || this.#isOver()) return;
    const built = await this.#log.next(tip);
    this.#stuck = built === undefined;
    if (built === undefined) return;
    const certificate = await certify(this.#roles.identity, tip.network, built);
    const height = tip.height + 1;
    const commit = { height, digest: built.digest, certificate, clearLogBelow: height + 1, sync: true };
    const reached = await this.#roles.chain
      .commit(commit)
      // After a crash the chain may not hold the body of the block in the log.
      .catch((error: unknown) => {
        if (!hasCode(error, 'ERR_BLOCK_NOT_FOUND')) throw error;
        return this.#roles.chain.commit({ ...commit, block: built.block });
      });
    this.#context.metrics.counter('consensus_decided_total', 'Heights decided here').add();
    this.#requireAlone(reached);
    this.#enter(reached);
    this.#again = true;
    const { minIntervalMs } = this.#context.config;
    if (minIntervalMs > 0) await this.#context.clock.sleep(minIntervalMs, this.#stop.signal);
  }

  async #readTip(): Promise<ChainTip | undefined> {
    const { genesis } = await this.#roles.p2p.network({});
    if (genesis === undefined) {
      if (this.#context.config.found) await this.#roles.p2p.found({});
      return undefined;
    }
    try {
      return await this.#roles.chain.tip({});
    } catch (error) {
      if (!hasCode(error, 'ERR_NETWORK_UNFOUNDED')) throw error;
      return undefined;
    }
  }

  /** What QBFT counts as work, too: something pooled, a change of validators under way, a root that is not certified yet. */
  async #hasWork(tip: ChainTip): Promise<boolean> {
    if (needsBlock(tip)) return true;
    if (this.#stuck) return false;
    return (await this.#roles.txpool.status({})).count > 0;
  }

  /** @throws ERR_CONSENSUS_NOT_SOLO where another one is, or will be, a validator, or this node is none */
  #requireAlone(tip: ChainTip): void {
    for (const { validators } of [tip.validators, tip.nextValidators]) {
      const [only] = validators;
      const self = only !== undefined && sameBytes(only.publicKey, this.#context.identity.publicKey);
      if (validators.length === 1 && self) continue;
      const what = validators.length === 1 ? 'another node is the validator' : `it has ${validators.length} validators`;
      throw failure('ERR_CONSENSUS_NOT_SOLO', `the plugin solo decides alone and cannot serve this network: ${what}`, {
        hint: 'Use @it-chain/plugin-consensus (or plugin-raft) on every validator.',
      });
    }
  }

  #enter(tip: ChainTip): void {
    this.#tip = tip;
    const height = tip.height + 1;
    if (height === this.#toldHeight) return;
    this.#toldHeight = height;
    this.#context.metrics.gauge('consensus_height', 'The height that is open').set(height);
    void this.#context.emit(Consensus.events.round, { height, round: 0, leader: this.#context.identity.publicKey });
  }

  #failed(error: unknown): void {
    if (this.#stopped) return;
    if (hasCode(error, 'ERR_CONSENSUS_NOT_SOLO')) {
      this.#refused = error.message;
      this.#context.log.error('this network is not for one node alone', { code: error.code, hint: error.hint });
      this.#context.health({ state: 'failing', reason: error.message });
      this.#context.fatal('failed', error);
      return;
    }
    if (isItChainError(error) && SAFETY.has(error.code)) {
      this.#refused = error.message;
      this.#context.fatal('safety', error);
      return;
    }
    this.#context.log.warn('no block could be committed; trying again', { error: messageOf(error) });
    this.#tell(`the last try to commit a block failed: ${messageOf(error)}`);
  }

  #tell(reason: string): void {
    if (this.#waiting === reason) return;
    this.#waiting = reason;
    this.#context.health(reason === '' ? { state: 'ok' } : { state: 'degraded', reason });
  }
}

/** The key signed another block of this height, or the chain holds one: an old backup, or a second process. */
const SAFETY = new Set([
  'ERR_IDENTITY_DOUBLE_SIGN',
  'ERR_IDENTITY_STALE_VOTE',
  'ERR_SAFETY_VIOLATION',
  'ERR_CHAIN_DIVERGED',
]);
