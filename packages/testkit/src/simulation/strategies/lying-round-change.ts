import type { Message } from '../machine.js';
import { roundChangeOf, Strategy, type Actor } from './strategy.js';

/** Forgets what it prepared, claims what nobody prepared, claims an older round, or rounds it is not in. */
export class LyingRoundChange extends Strategy {
  readonly name = 'lying-round-change';

  override alter(message: Message, _to: number, actor: Actor): readonly Message[] {
    if (message.kind !== 'round-change') return [message];
    const { height, round } = message.vote;
    switch (actor.random.below(5)) {
      case 0:
        return [roundChangeOf(actor, height, round)];
      case 1: {
        const { block, digest } = actor.block();
        const prepared = { round: Math.max(0, round - 1), digest };
        return [roundChangeOf(actor, height, round, prepared, block, message.prepares)];
      }
      case 2: {
        const { block, digest } = actor.block();
        const prepared = { round: Math.max(0, round - 1), digest };
        const own = actor.sign({ type: 'prepare', height, round: prepared.round, digest });
        return [roundChangeOf(actor, height, round, prepared, block, [own, own, own])];
      }
      case 3:
        return [roundChangeOf(actor, height, round + 5 + actor.random.below(1_000))];
      default:
        return [message];
    }
  }
}
