import type { Message } from '../machine.js';
import { Strategy, type Actor } from './strategy.js';

/**
 * Proposes a block of its own where another one was prepared, with the justification it can find: the ROUND_CHANGEs
 * without a claim if there is a quorum of them, else all.
 */
export class LockIgnoringLeader extends Strategy {
  readonly name = 'lock-ignoring-leader';

  override alter(message: Message, _to: number, actor: Actor): readonly Message[] {
    if (message.kind === 'commit') return [];
    if (message.kind !== 'proposal' || message.vote.round === 0) return [message];
    const { block, digest } = actor.block();
    const vote = actor.sign({ ...message.vote, digest });
    const free = message.roundChanges.filter(({ prepared }) => prepared === undefined);
    const enough = free.length * 3 >= 2 * actor.tip.validators.validators.length;
    return [{ ...message, vote, block, roundChanges: enough ? free : message.roundChanges, prepares: [] }];
  }
}
