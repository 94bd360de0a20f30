import { messageOf, sameBytes, type Chain, type PluginContext } from '@it-chain/contracts';
import type { Effect, Input } from '../machine/interface.js';
import type { Session } from './session.js';

/** What blocks are built and checked with. */
export interface BlockWorkDependencies {
  readonly chain: Chain;
  readonly context: Pick<PluginContext, 'clock' | 'log'>;
  readonly input: (input: Input, session: Session) => void;
}

/** Has the chain build and check blocks for the machine of a session. */
export class BlockWork {
  readonly #with: BlockWorkDependencies;

  constructor(dependencies: BlockWorkDependencies) {
    this.#with = dependencies;
  }

  async build(session: Session, { height, round }: Extract<Effect, { type: 'build' }>): Promise<void> {
    const { chain, context, input } = this.#with;
    try {
      const { block, digest } = await chain.build({ height, round });
      input({ type: 'built', height, round, block, digest }, session);
    } catch (error) {
      context.log.debug('no block was built; it is tried again', { height, error: messageOf(error) });
      input({ type: 'built', height, round }, session);
    }
  }

  async check(session: Session, effect: Extract<Effect, { type: 'check' }>): Promise<void> {
    const { chain, context, input } = this.#with;
    const { check, block, fresh, digest, height } = effect;
    try {
      const answer = await chain.check({ block, fresh });
      const valid = answer.valid && sameBytes(answer.digest, digest);
      // Its height may have been committed by a certificate meanwhile, in an answer that comes with this one: then nobody
      // waits for the verdict, and its proposer did nothing wrong.
      if (!valid) await context.clock.sleep(0);
      if (session.state.height > height) return;
      if (!valid) context.log.warn('a proposed block is not valid', { height, reason: answer.reason });
      input({ type: 'checked', check, verdict: valid ? 'valid' : 'invalid' }, session);
    } catch (error) {
      context.log.debug('a block could not be checked now', { height, error: messageOf(error) });
      input({ type: 'checked', check, verdict: 'unknown' }, session);
    }
  }
}
