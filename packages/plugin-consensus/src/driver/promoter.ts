import { nodeIdOf, ownTransaction, type Genesis, type PluginContext, type TxPool } from '@it-chain/contracts';
import { leaderAt, type State } from '../machine/state.js';
import { Promotion } from './promotion.js';

/** Heights after which an unused promotion is void. */
const PROMOTION_WINDOW = 1_000;

/** The section `promotion` of the config, and the network it is about. */
export interface PromoterOptions {
  readonly enabled: boolean;
  readonly healthyMs: number;
  readonly retryMs: number;
  readonly genesis: Genesis;
  readonly network: Uint8Array;
}

/** Proposes learners that have caught up as validators, while this node leads. */
export class Promoter {
  readonly #options: PromoterOptions;
  readonly #promotion: Promotion;
  readonly #with: { readonly context: Omit<PluginContext, 'config'>; readonly txpool: TxPool };

  constructor(
    options: PromoterOptions,
    dependencies: { readonly context: Omit<PluginContext, 'config'>; readonly txpool: TxPool },
  ) {
    const { healthyMs, retryMs, genesis } = options;
    this.#options = options;
    this.#with = dependencies;
    this.#promotion = new Promotion({ growth: genesis.growth, healthyMs, retryMs });
  }

  /** Looks at the learners; called now and then. */
  async run(state: State): Promise<void> {
    const { tip } = state;
    if (tip === undefined || !this.#options.enabled) return;
    const now = this.#with.context.clock.monotonic();
    this.#promotion.observe(now, tip, state.peers);
    if (leaderAt(state, 0) !== state.selfKey || state.at.round > 0) return;
    const keys = this.#promotion.due(now, tip);
    if (keys.length === 0) return;
    this.#promotion.proposed(now, keys);
    const { genesis, network } = this.#options;
    const expiresAt = tip.height + Math.min(genesis.window, PROMOTION_WINDOW);
    const membership = { promote: { publicKeys: keys } };
    const transaction = await ownTransaction(this.#with.context, { network, expiresAt, membership });
    const { entries } = await this.#with.txpool.submit({ transactions: [transaction] });
    const { state: outcome, code } = entries[0] ?? {};
    this.#with.context.log.info('proposed learners as validators', { nodes: keys.map(nodeIdOf), state: outcome, code });
  }
}
