import type { Message } from '../machine.js';
import { Strategy, type Actor } from './strategy.js';

/** Proposes one block to one half and another to the other half, and votes for whatever each half was told. */
export class EquivocatingLeader extends Strategy {
  readonly name = 'equivocating-leader';
  #other: { readonly height: number; readonly made: ReturnType<Actor['block']> } | undefined;

  override alter(message: Message, to: number, actor: Actor): readonly Message[] {
    if (to % 2 === 0 || !('vote' in message) || message.vote.height !== actor.tip.height + 1) return [message];
    const { block, digest } = this.#otherOf(actor);
    const vote = { ...message.vote, digest };
    if (message.kind === 'proposal') {
      if (message.roundChanges.some(({ prepared }) => prepared !== undefined)) return [message];
      return [{ ...message, vote: actor.sign(vote), block }];
    }
    if (message.kind === 'round-change') return [message];
    return [message, { kind: message.kind, vote: actor.sign(vote) }];
  }

  #otherOf(actor: Actor): ReturnType<Actor['block']> {
    const height = actor.tip.height + 1;
    if (this.#other?.height !== height) this.#other = { height, made: actor.block() };
    return this.#other.made;
  }
}
