import { quorumOf, validatorIndex } from '../data/validator-set.js';
import { hasCode, isItChainError, messageOf } from '../errors/it-chain-error.js';
import type { PluginContext } from '../plugin/plugin.js';
import type { Chain, ChainTip } from '../roles/chain.js';
import { Consensus, type ConsensusStatus, type KeptEvidenceList } from '../roles/consensus.js';
import type { TxPool } from '../roles/txpool.js';
import { needsBlock } from './block-log.js';

/** What an engine decides itself. */
export interface DecisionEngine {
  /**
   * Tries to decide the height after `tip`, for which there is work. True where it committed a block: it is asked again at
   * once. False where there is nothing to do now. What it throws is shown in the status, and it is asked again later;
   * a code of {@link SAFETY_CODES} ends the node.
   */
  decide(tip: ChainTip): Promise<boolean>;
  /** What the status says besides. Default: the first validator leads round 0, and a Byzantine quorum decides. */
  status?(tip: ChainTip): Partial<ConsensusStatus>;
  /** `evidence.list`. Default: none. */
  evidence?(): Promise<KeptEvidenceList>;
}

/** The key signed another block of this height, or the chain holds one: an old backup, or a second process. */
export const SAFETY_CODES: readonly string[] = [
  'ERR_IDENTITY_DOUBLE_SIGN',
  'ERR_IDENTITY_STALE_VOTE',
  'ERR_SAFETY_VIOLATION',
  'ERR_CHAIN_DIVERGED',
];

/** What the loop asks. */
export interface DecisionLoopDependencies {
  readonly engine: DecisionEngine;
  readonly chain: Chain;
  readonly txpool: TxPool;
}

const NOBODY = new Uint8Array(0);

/** Asks an engine for the next height while there is work, one look after the other; a look meanwhile means one more. */
export class DecisionLoop {
  readonly #context: Pick<PluginContext, 'emit' | 'fatal' | 'health' | 'identity' | 'log'>;
  readonly #with: DecisionLoopDependencies;
  #tip: ChainTip | undefined;
  #waiting = '';
  #work: Promise<void> = Promise.resolve();
  #busy = false;
  #again = false;
  #over = false;
  #told = 0;

  constructor(
    context: Pick<PluginContext, 'emit' | 'fatal' | 'health' | 'identity' | 'log'>,
    dependencies: DecisionLoopDependencies,
  ) {
    this.#context = context;
    this.#with = dependencies;
  }

  /** Looks whether there is work, now or, while a height is being decided, after it. */
  look(): void {
    this.#again = true;
    if (this.#over || this.#busy) return;
    this.#busy = true;
    this.#work = this.#run();
  }

  /** Begins nothing more. Resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#over = true;
    await this.#work;
  }

  /** `consensus.status`. */
  status(): Promise<ConsensusStatus> {
    const tip = this.#tip;
    const none = { height: 0, round: 0, leader: NOBODY, quorum: 0, validator: false, views: [] };
    if (tip === undefined) {
      return Promise.resolve({ ...none, waiting: this.#waiting || 'this node belongs to no network yet' });
    }
    const { validators } = tip.validators;
    return Promise.resolve({
      ...none,
      height: tip.height + 1,
      leader: validators[0]?.publicKey ?? NOBODY,
      quorum: quorumOf(validators.length),
      validator: validatorIndex(tip.validators, this.#context.identity.publicKey) >= 0,
      waiting: this.#waiting,
      ...this.#with.engine.status?.(tip),
    });
  }

  // Asked through a method: it may change while something is awaited.
  #isOver(): boolean {
    return this.#over;
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#isOver()) {
      this.#again = false;
      try {
        if (await this.#step()) this.#again = true;
        this.#tell('');
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#busy = false;
  }

  async #step(): Promise<boolean> {
    const { chain, txpool, engine } = this.#with;
    const tip = await chain.tip({});
    await this.#enter(tip);
    const work = needsBlock(tip) || (await txpool.status({})).count > 0;
    return work && !this.#isOver() && (await engine.decide(tip));
  }

  async #enter(tip: ChainTip): Promise<void> {
    this.#tip = tip;
    const { height, round, leader } = await this.status();
    if (height === this.#told || leader.length === 0) return;
    this.#told = height;
    await this.#context.emit(Consensus.events.round, { height, round, leader });
  }

  #failed(error: unknown): void {
    if (hasCode(error, 'ERR_NETWORK_UNFOUNDED')) return;
    if (isItChainError(error) && SAFETY_CODES.includes(error.code)) {
      this.#over = true;
      this.#context.fatal('safety', error);
    }
    this.#context.log.warn('nothing could be decided; trying again', { reason: messageOf(error) });
    this.#tell(messageOf(error));
  }

  #tell(reason: string): void {
    if (this.#waiting === reason.slice(0, 512)) return;
    this.#waiting = reason.slice(0, 512);
    this.#context.health(reason === '' ? { state: 'ok' } : { state: 'degraded', reason });
  }
}
