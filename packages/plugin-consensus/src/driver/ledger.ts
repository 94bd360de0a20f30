import {
  Block,
  Certificate,
  hasCode,
  isItChainError,
  messageOf,
  type CertifiedBlock,
  type Chain,
  type ChainTip,
  type Clock,
  type Log,
  type TxPool,
  type Failpoint,
} from '@it-chain/contracts';
import type { Effect } from '../machine/interface.js';
import type { ConsensusMessage } from '../machine/messages.js';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

type Decision = Extract<Effect, { type: 'decide' }>;

/** What a ledger works with. */
export interface LedgerDependencies {
  readonly chain: Chain;
  readonly txpool: TxPool;
  readonly clock: Clock;
  readonly log: Log;
  readonly onTip: (tip: ChainTip) => void;
  /** The body of a decided block does not fit its header: another copy is needed. */
  readonly onUncommittable: (height: number) => void;
  readonly onDiverged: (error: Error) => void;
  /** A height was decided here that had been committed otherwise meanwhile: both must be the same block. */
  readonly onPassed: (decision: Decision) => void;
  readonly isStopped: () => boolean;
  readonly failpoint: Failpoint;
}

/** Commits one thing at a time: decisions and syncs never meet. Also knows whether the pool holds work. */
export class Ledger {
  readonly #with: LedgerDependencies;
  #last: Promise<unknown> = Promise.resolve();
  #busy = 0;
  /** The last block was empty although the pool was not: what it holds cannot be taken now, so it is no work. */
  #stuck = false;
  /** Transactions came since the last block. */
  #news = false;

  constructor(dependencies: LedgerDependencies) {
    this.#with = dependencies;
  }

  /** Runs `work` with the present tip when nothing else commits, and tells where the tip is afterwards. */
  exclusive(work: (tip: ChainTip) => Promise<ChainTip>): Promise<void> {
    this.#busy += 1;
    const run = this.#last
      .then(async () => {
        if (this.#with.isStopped()) return;
        const tip = await this.#with.chain.tip({});
        this.#with.onTip(await work(tip).catch((error: unknown) => this.#failed(error)));
      })
      .finally(() => (this.#busy -= 1));
    // The next one runs whether or not this one failed; its caller is told.
    this.#last = run.catch(() => undefined);
    return run;
  }

  /** Tells what was committed before something failed: while this was busy nobody else did. @throws the failure, always */
  async #failed(error: unknown): Promise<never> {
    await this.refresh().catch((again: unknown) => {
      this.#with.log.debug('the tip cannot be read now; the poll reads it', { error: messageOf(again) });
    });
    throw error;
  }

  /** True while something commits or waits to: where the tip is afterwards is told then. */
  get isBusy(): boolean {
    return this.#busy > 0;
  }

  /** Reads the tip, should it have moved without this plugin's doing. */
  async refresh(): Promise<void> {
    this.#with.onTip(await this.#with.chain.tip({}));
  }

  /** Commits a decided block; tries until it is committed, because nothing else can follow. */
  commit(decision: Decision): Promise<void> {
    return this.exclusive(async (tip) => {
      if (tip.height >= decision.height) {
        this.#with.onPassed(decision);
        return tip;
      }
      this.#stuck = decision.block.transactions.length === 0 && !this.#news;
      this.#news = false;
      return (await this.#persistently(decision)) ?? tip;
    });
  }

  async #persistently(decision: Decision): Promise<ChainTip | undefined> {
    const { height, digest, certificate, block } = decision;
    let withBody = !decision.stored;
    for (let pause = FIRST_PAUSE_MS; !this.#with.isStopped(); pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      try {
        this.#with.failpoint('decide.before-commit');
        const body = withBody ? block : undefined;
        return await this.#with.chain.commit({
          height,
          digest,
          certificate,
          block: body,
          clearLogBelow: height + 1,
          sync: true,
        });
      } catch (error) {
        if (hasCode(error, 'ERR_CHAIN_DIVERGED')) {
          this.#with.onDiverged(error);
          return undefined;
        }
        if (withBody && isItChainError(error) && BAD_BODY.has(error.code)) {
          this.#with.log.warn('a decided block came with a body that is not its own', { height, code: error.code });
          this.#with.onUncommittable(height);
          return undefined;
        }
        this.#with.log.warn('a decided block could not be committed; trying again', {
          height,
          error: messageOf(error),
        });
      }
      // The chain may have forgotten a body that was only checked.
      withBody = true;
      await this.#with.clock.sleep(pause);
    }
    return undefined;
  }

  /** A certified block as DECIDED. */
  decidedOf(certified: CertifiedBlock): ConsensusMessage {
    return {
      kind: 'decided',
      block: Block.decode(certified.block),
      certificate: Certificate.decode(certified.certificate),
    };
  }

  /** New transactions came, so the pool is looked at again. */
  onAccepted(): void {
    this.#news = true;
    this.#stuck = false;
  }

  /** Once per poll the pool gets another chance. */
  onPoll(): void {
    this.#stuck = false;
  }

  /** Whether transactions wait that a block may take, and when the one that has waited longest came (0 = none). */
  async pool(): Promise<{ readonly pooled: boolean; readonly oldest: number }> {
    const { count, oldest } = await this.#with.txpool.status({});
    return { pooled: count > 0 && !this.#stuck, oldest };
  }
}

const BAD_BODY = new Set(['ERR_BLOCK_INVALID', 'ERR_DATA_MALFORMED']);
