import { failure, type Log } from '@it-chain/contracts';
import { absentValidators } from '../machine/explain.js';
import { isValidator, type State } from '../machine/state.js';

/** Tells in the log when too few validators are connected to decide anything, and when there are enough again. */
export class QuorumWatch {
  readonly #log: Pick<Log, 'info' | 'warn'>;
  /** Looks in a row at which there were too few: one of them may be the start of a node. */
  #short = 0;

  constructor(log: Pick<Log, 'info' | 'warn'>) {
    this.#log = log;
  }

  /** Looks at the machine, with each poll. */
  look(state: State): void {
    const { members, height } = state;
    const absent = absentValidators(state);
    const present = members.n - absent.length;
    if (!isValidator(state) || present >= members.q) {
      if (this.#short >= PATIENCE) this.#log.info('a quorum of the validators is connected again', { height, present });
      this.#short = 0;
      return;
    }
    this.#short += 1;
    if (this.#short !== PATIENCE) return;
    const { code, hint, message } = failure(
      'ERR_CONSENSUS_NO_QUORUM',
      `nothing can be decided: ${present} of ${members.n} validators are connected, and ${members.q} are needed`,
    );
    this.#log.warn(message, { code, hint, height, present, quorum: members.q });
  }
}

const PATIENCE = 2;
