import { failure, type PluginContext } from '@it-chain/contracts';
import { isSilent, type State } from '../machine/state.js';

const LOST_HINT =
  'Wait until the others have decided it; if they need this vote, start with --accept-double-sign-risk once you know that the key signs nowhere else.';

/** Tells when this node stops voting because it has lost votes that it gave, and when it votes again. */
export class Silence {
  readonly #context: Pick<PluginContext, 'log' | 'health'>;
  #silent = false;

  constructor(context: Pick<PluginContext, 'log' | 'health'>) {
    this.#context = context;
  }

  /** Looks at the machine after a step. */
  onStep(state: State): void {
    const silent = isSilent(state);
    if (silent === this.#silent) return;
    this.#silent = silent;
    if (!silent) {
      this.#context.log.info('this node votes again', { height: state.height });
      this.#context.health({ state: 'ok' });
      return;
    }
    const reason = `this node does not vote before height ${state.silentUntil + 1} is open: it has lost votes that it gave`;
    const { code, hint } = failure('ERR_CONSENSUS_STATE_LOST', reason, { hint: LOST_HINT });
    this.#context.log.warn(reason, { code, hint });
    this.#context.health({ state: 'degraded', reason });
  }
}
