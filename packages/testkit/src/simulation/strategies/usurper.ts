import type { Message } from '../machine.js';
import { Strategy, type Actor } from './strategy.js';

/** Proposes valid blocks of its own when others lead, and votes for them. */
export class Usurper extends Strategy {
  readonly name = 'usurper';

  override act(actor: Actor): void {
    if (actor.random.chance(0.5)) return;
    const height = actor.tip.height + 1;
    const round = actor.random.below(2);
    const { block, digest } = actor.block();
    const says = (type: 'proposal' | 'prepare' | 'commit'): ReturnType<Actor['sign']> =>
      actor.sign({ type, height, round, digest });
    const messages: readonly Message[] = [
      { kind: 'proposal', vote: says('proposal'), block, roundChanges: [], prepares: [] },
      { kind: 'prepare', vote: says('prepare') },
      { kind: 'commit', vote: says('commit') },
    ];
    for (const to of actor.others) for (const message of messages) actor.send(to, message);
  }
}
