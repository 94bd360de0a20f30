import type { CommittedBlock } from '../stub-chain.js';
import { Strategy, type Actor } from './strategy.js';

/** Says all the time that it is far ahead, and gives no answer to those who ask it for the blocks. */
export class Boaster extends Strategy {
  readonly name = 'boaster';

  override act(actor: Actor): void {
    if (!actor.random.chance(0.3)) return;
    const height = actor.tip.height + actor.random.pick([2, 10, 1_000, 1_000_000]);
    const status = { kind: 'status', height, digest: actor.tip.digest, round: 0, seen: undefined } as const;
    for (const other of actor.others) actor.send(other, status, 1);
  }

  override answer(): readonly CommittedBlock[] | undefined {
    return undefined;
  }
}
