import { isItChainError, sha256, utf8, type VoteType } from '@it-chain/contracts';
import type { Message } from '../machine.js';
import type { CommittedBlock } from '../stub-chain.js';
import { Strategy, type Actor } from './strategy.js';

const TYPES: readonly VoteType[] = ['none', 'proposal', 'prepare', 'commit', 'round-change'];
const NUMBERS = [0, 1, 2, 3, 10, 11, 12, 100, 65_535, 4_294_967_295];

/** Bytes that are no message, and messages that make no sense under a valid signature. */
export class Garbage extends Strategy {
  readonly name = 'garbage';

  override alter(message: Message, _to: number, actor: Actor): readonly Message[] {
    if (actor.random.chance(0.8)) return [message];
    if (message.kind === 'proposal') {
      // The digest is right, the body is not its own.
      return [{ ...message, block: { ...message.block, transactions: [...message.block.transactions, utf8('more')] } }];
    }
    const bytes = Uint8Array.from(actor.machine.encode(message, actor.network, 0));
    for (let flips = 1 + actor.random.below(4); flips > 0; flips -= 1) {
      bytes[actor.random.below(bytes.length)] = actor.random.below(256);
    }
    try {
      const read = actor.machine.decode(bytes);
      return read === undefined ? [] : [read.content];
    } catch (error) {
      // That it is refused with a code is the whole of what is asked for; anything else is a finding.
      if (isItChainError(error)) return [];
      throw error;
    }
  }

  override act(actor: Actor): void {
    if (actor.random.chance(0.5)) return;
    const { block, digest } = actor.block();
    const height = actor.tip.height + actor.random.below(4);
    const round = actor.random.pick(NUMBERS);
    const vote = actor.sign({ type: actor.random.pick(TYPES), height, round, digest: sha256(digest) });
    const kinds: readonly Message[] = [
      { kind: 'prepare', vote },
      { kind: 'commit', vote },
      { kind: 'round-change', vote, prepared: { round, digest }, block, prepares: [vote] },
      { kind: 'proposal', vote, block, roundChanges: [{ vote }], prepares: [vote] },
      { kind: 'decided', block, certificate: { height, round, digest, seals: [] } },
      { kind: 'status', height: actor.random.pick(NUMBERS), digest, round, seen: undefined },
      { kind: 'want', height, digest },
      { kind: 'body', height, block: { header: digest, transactions: [digest] } },
    ];
    actor.send(actor.random.pick(actor.others), actor.random.pick(kinds), actor.random.below(5));
  }

  override answer(blocks: readonly CommittedBlock[], actor: Actor): readonly CommittedBlock[] {
    const { block } = actor.block();
    return blocks.map((committed) => ({ ...committed, block }));
  }
}
