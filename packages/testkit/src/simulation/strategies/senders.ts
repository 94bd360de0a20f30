import type { Message, Vote } from '../machine.js';
import { roundChangeOf, Strategy, type Actor } from './strategy.js';

/** Sends a message to some and not to others. */
export class SelectiveSender extends Strategy {
  readonly name = 'selective-sender';

  override alter(message: Message, _to: number, actor: Actor): readonly Message[] {
    return actor.random.chance(0.5) ? [message] : [];
  }
}

/** Says again what it said before, at other heights too, and passes what others said off as its own. */
export class Replayer extends Strategy {
  readonly name = 'replay';
  readonly #said: Message[] = [];

  override alter(message: Message): readonly Message[] {
    if (this.#said.length < 500) this.#said.push(message);
    return [message];
  }

  override act(actor: Actor): void {
    const to = actor.random.pick(actor.others);
    const source = actor.random.chance(0.5) || actor.heard.length === 0 ? this.#said : actor.heard;
    if (source.length === 0) return;
    const message = actor.random.pick(source);
    actor.send(to, message, actor.random.below(3));
    if (!('vote' in message)) return;
    // The same signature over the present height: it must not verify.
    const vote = { ...message.vote, height: actor.tip.height + 1 };
    actor.send(to, { ...message, vote } as Message);
  }
}

/** Says everything several times, and fills justifications and certificates with one vote many times over. */
export class DuplicateSender extends Strategy {
  readonly name = 'duplicate-sender';

  override alter(message: Message, _to: number, actor: Actor): readonly Message[] {
    if (message.kind === 'prepare' || message.kind === 'commit') return [message, { ...message }, message];
    if (message.kind === 'proposal' && message.vote.round > 0) {
      const { block, digest } = actor.block();
      const vote = actor.sign({ ...message.vote, digest });
      const own = message.roundChanges.find(({ prepared }) => prepared === undefined);
      const roundChanges = own === undefined ? message.roundChanges : message.roundChanges.map(() => own);
      return actor.random.chance(0.5) ? [{ ...message, vote, block, roundChanges, prepares: [] }] : [message];
    }
    return [message];
  }

  override act(actor: Actor): void {
    const { tip, random } = actor;
    const height = tip.height + 1;
    const members = tip.validators.validators;
    const own = members.findIndex(({ sequence }) => sequence === actor.sequence);
    if (own < 0 || random.chance(0.5)) return;
    const { block, digest } = actor.block();
    const to = random.pick(actor.others);
    const vote = actor.sign({ type: 'commit', height, round: 0, digest });
    const seals = members.map(() => ({ validator: own, signature: vote.signature }));
    actor.send(to, { kind: 'decided', block, certificate: { height, round: 0, digest, seals } });
    const prepare = actor.sign({ type: 'prepare', height, round: 0, digest });
    const claimed = { round: 0, digest };
    const many = members.map(() => prepare);
    actor.send(to, roundChangeOf(actor, height, 1 + random.below(3), claimed, block, many));
    this.#propose(actor, own);
  }

  /** Proposes in the next round that it leads, with its own ROUND_CHANGE for a quorum, whatever others have prepared. */
  #propose(actor: Actor, own: number): void {
    const { tip } = actor;
    const members = tip.validators.validators;
    const first = Math.max(
      0,
      members.findIndex(({ sequence }) => sequence === tip.proposerSequence),
    );
    const height = tip.height + 1;
    const round = ((own - first + members.length) % members.length) + members.length * actor.random.below(2);
    if (round === 0) return;
    const { block, digest } = actor.block();
    const change = roundChangeOf(actor, height, round);
    if (change.kind !== 'round-change') return;
    const roundChanges = members.map(() => ({ vote: change.vote, prepared: undefined }));
    const vote = actor.sign({ type: 'proposal', height, round, digest });
    const prepare = actor.sign({ type: 'prepare', height, round, digest });
    for (const to of actor.others) {
      actor.send(to, { kind: 'proposal', vote, block, roundChanges, prepares: [] });
      actor.send(to, { kind: 'prepare', vote: prepare });
    }
  }
}

/** Votes, proposes and certifies with keys that are in no set, or in a set of another height. */
export class WrongSetSigner extends Strategy {
  readonly name = 'wrong-set-signer';

  override act(actor: Actor): void {
    if (actor.random.chance(0.5)) return;
    const height = actor.tip.height + 1;
    const { block, digest } = actor.block();
    const round = actor.random.below(3);
    const to = actor.random.pick(actor.others);
    const stranger: Vote = {
      type: 'commit',
      height,
      round,
      digest,
      signer: digest,
      signature: new Uint8Array(64),
    };
    const own = actor.sign({ type: 'commit', height, round, digest });
    const seals = actor.tip.validators.validators.map((_, validator) => ({ validator, signature: own.signature }));
    actor.send(to, { kind: 'decided', block, certificate: { height, round, digest, seals } });
    actor.send(to, { kind: 'commit', vote: actor.random.chance(0.5) ? stranger : own });
    actor.send(to, { kind: 'prepare', vote: { ...own, type: 'prepare' } });
    const claims = [{ vote: actor.sign({ type: 'round-change', height, round, digest }) }];
    const vote = actor.sign({ type: 'proposal', height, round, digest });
    actor.send(to, { kind: 'proposal', vote, block, roundChanges: claims, prepares: [own] });
  }
}

/** Keeps back what others wait for: its votes, its proposals, its help. */
export class Withholder extends Strategy {
  readonly name = 'withholding';
  #silent = true;

  override alter(message: Message): readonly Message[] {
    if (message.kind === 'decided' || message.kind === 'body') return [];
    return this.#silent && message.kind !== 'status' ? [] : [message];
  }

  override act(actor: Actor): void {
    if (actor.random.chance(0.02)) this.#silent = !this.#silent;
  }

  override answer(): [] {
    return [];
  }
}
