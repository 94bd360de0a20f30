import { toHex, utf8, type Block, type BlockHeader } from '@it-chain/contracts';
import type { ConsensusMessage } from '@it-chain/plugin-consensus';
import type { Behaviour, Context, EvilHands, Saying } from './behaviours.js';
import { forgeProposal, forgeVote, withHeader } from './forge.js';

const HOUR_MS = 3_600_000;

/** Two blocks of one round: what the honest machine proposed, and the other one with those who hear of it. */
interface Twins {
  readonly first: string;
  readonly digest: Uint8Array;
  readonly other: Set<string>;
  readonly careless: boolean;
}

/**
 * B1: as leader proposes two valid blocks, one to each half, and votes for both. Every other time one of the halves hears
 * both votes, as it will where nodes pass on what they have. Counted by deeds: the heights that it leads may all be odd.
 */
export function equivocatingLeader({ keys, did }: EvilHands): Behaviour {
  const twins = new Map<string, Twins>();
  const keyOf = ({ height, round }: { height: number; round: number }): string => `${height}/${round}`;
  const twin = (content: Extract<ConsensusMessage, { kind: 'proposal' }>, { network, peers }: Context): Saying[] => {
    const block = withHeader(content.block, ({ time }) => ({ time: time + 1 }));
    const forged = forgeProposal(keys(), network, content, block);
    const known = twins.get(keyOf(content.vote));
    const other = known?.other ?? new Set(peers.slice(0, Math.ceil(peers.length / 2)));
    if (known === undefined) did();
    const careless = known?.careless ?? twins.size % 2 === 1;
    twins.set(keyOf(content.vote), { first: toHex(content.vote.digest), digest: forged.vote.digest, other, careless });
    return [
      { to: peers.filter((peer) => !other.has(peer)), content },
      { to: peers.filter((peer) => other.has(peer)), content: { ...content, ...forged } },
    ];
  };
  return {
    speak(content, context) {
      const { network, peers } = context;
      const plain = [{ to: peers, content }];
      if (content.kind === 'proposal') return content.prepares.length > 0 ? plain : twin(content, context);
      if (content.kind !== 'prepare' && content.kind !== 'commit') return plain;
      const made = twins.get(keyOf(content.vote));
      if (made?.first !== toHex(content.vote.digest)) return plain;
      const vote = forgeVote(keys(), network, { ...content.vote, digest: made.digest });
      return [
        { to: peers.filter((peer) => made.careless || !made.other.has(peer)), content },
        { to: peers.filter((peer) => made.other.has(peer)), content: { kind: content.kind, vote } },
      ];
    },
  };
}

type Spoil = (block: Block, now: number) => Block;
const zeros = new Uint8Array(32);
const header =
  (change: (old: BlockHeader) => Partial<BlockHeader>): Spoil =>
  (block) =>
    withHeader(block, change);

/** B6: what can be wrong with a block, one after the other. */
const SPOILS: readonly Spoil[] = [
  header(() => ({ previous: zeros })),
  header(({ height }) => ({ height: height + 1 })),
  header(() => ({ transactionRoot: zeros })),
  header(() => ({ previousStateRoot: zeros })),
  header(({ time }) => ({ time: time + HOUR_MS })),
  header(() => ({ time: 1 })),
  header(({ transactionCount }) => ({ transactionCount: transactionCount + 1 })),
  header(() => ({ validators: zeros })),
  header(() => ({ proposer: zeros })),
  (block) => ({ ...block, transactions: [...block.transactions].reverse() }),
  (block) => ({ ...block, transactions: [...block.transactions, ...block.transactions] }),
  (block) => ({ ...block, transactions: [...block.transactions, utf8('no transaction')] }),
  (block) => ({ ...block, transactions: [...block.transactions, new Uint8Array(3_000_000)] }),
  (block) => ({ ...block, header: new Uint8Array(100) }),
];

/** B6: as leader proposes blocks that are not valid, each in another way. */
export function badBlocks({ keys, now, did }: EvilHands): Behaviour {
  let next = 0;
  const spoiled = new Map<number, Spoil>();
  return {
    speak(content, { network, peers }) {
      if (content.kind !== 'proposal') return [{ to: peers, content }];
      const { height } = content.vote;
      const spoil = spoiled.get(height) ?? SPOILS[next % SPOILS.length] ?? ((block: Block) => block);
      if (!spoiled.has(height)) {
        spoiled.set(height, spoil);
        next += 1;
        did();
      }
      return [
        { to: peers, content: { ...content, ...forgeProposal(keys(), network, content, spoil(content.block, now())) } },
      ];
    },
  };
}

/** Nine tenths of the round timeout of the network that the liar is in. */
const LATE_MS = 1_800;

/** B7: as leader says nothing, says it late, or says it to one peer only; in turn by height. */
export function lateLeader({ did }: EvilHands): Behaviour {
  const counted = new Set<number>();
  return {
    speak(content, { peers }) {
      if (content.kind !== 'proposal') return [{ to: peers, content }];
      const { height } = content.vote;
      if (!counted.has(height)) did();
      counted.add(height);
      const way = counted.size % 3;
      if (way === 0) return [];
      return way === 1 ? [{ to: peers, content, afterMs: LATE_MS }] : [{ to: peers.slice(0, 1), content }];
    },
  };
}
