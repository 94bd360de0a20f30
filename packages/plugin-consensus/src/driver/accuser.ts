import { nodeIdOf, ownTransaction, type Genesis, type PluginContext, type TxPool } from '@it-chain/contracts';
import { leaderAt, type State } from '../machine/state.js';
import { Accusation, type AccusationOptions } from './accusation.js';
import type { EvidenceStore } from './evidence-store.js';

/** Heights after which an unused accusation is void. */
const ACCUSATION_WINDOW = 1_000;

/** The section `accuse` of the config, and the network it is about. */
export interface AccuserOptions extends AccusationOptions {
  readonly enabled: boolean;
  readonly genesis: Genesis;
  readonly network: Uint8Array;
}

/** Where the config says so, makes transactions of kept evidence; executed, they evict whoever signed two votes. */
export class Accuser {
  readonly #options: AccuserOptions;
  readonly #accusation: Accusation;
  readonly #with: {
    readonly context: Omit<PluginContext, 'config'>;
    readonly txpool: TxPool;
    readonly evidence: EvidenceStore;
  };

  constructor(
    options: AccuserOptions,
    dependencies: {
      readonly context: Omit<PluginContext, 'config'>;
      readonly txpool: TxPool;
      readonly evidence: EvidenceStore;
    },
  ) {
    this.#options = options;
    this.#accusation = new Accusation(options);
    this.#with = dependencies;
  }

  /** Looks at the evidence; called now and then. */
  async run(state: State): Promise<void> {
    const { tip, selfKey } = state;
    if (tip === undefined || !this.#options.enabled) return;
    const { context, txpool, evidence: store } = this.#with;
    const now = context.clock.monotonic();
    const place = { tip, self: selfKey, leader: leaderAt(state, state.at.round) };
    const evidence = this.#accusation.due(now, place, store.list());
    if (evidence === undefined) return;
    this.#accusation.accused(now, evidence);
    const { genesis, network } = this.#options;
    const expiresAt = tip.height + Math.min(genesis.window, ACCUSATION_WINDOW);
    const membership = { accuse: { evidence } };
    const transaction = await ownTransaction(context, { network, expiresAt, membership });
    const { entries } = await txpool.submit({ transactions: [transaction] });
    const { state: outcome, code } = entries[0] ?? {};
    const { publicKey, height, round } = evidence;
    const facts = { node: nodeIdOf(publicKey), height, round, state: outcome, code };
    context.log.warn('accused a validator of signing two votes', facts);
  }
}
