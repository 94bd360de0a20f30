import { blockOn, digestOf, roundChangeVote, signatureOf } from './fixtures.js';
import type { Strategy } from './network.js';
import type { ConsensusMessage } from '../../dist/machine/messages.js';

/** Proposes one block to one half and another to the other half, and votes for whatever each half was told. */
export const equivocate: Strategy = (node, content, to, network) => {
  if (to % 2 === 0) return [content];
  const tip = network.tip(node);
  const other = blockOn(tip, node.index, 1_000_000 + tip.height);
  const digest = digestOf(other);
  switch (content.kind) {
    case 'proposal':
      if (content.roundChanges.some(({ prepared }) => prepared !== undefined)) return [content];
      return content.vote.height === tip.height + 1
        ? [{ ...content, vote: { ...content.vote, digest }, block: other }]
        : [content];
    case 'prepare':
    case 'commit':
      return [content, { kind: content.kind, vote: { ...content.vote, digest } }];
    case 'round-change':
    case 'decided':
    case 'status':
    case 'want':
    case 'body':
      return [content];
  }
};

/** Forgets what it prepared, claims what nobody prepared, or claims rounds it is not in. */
export const lieAboutRounds: Strategy = (node, content, _to, { random }) => {
  if (content.kind !== 'round-change') return [content];
  const { height, round } = content.vote;
  const silentAboutIt: ConsensusMessage = {
    kind: 'round-change',
    vote: roundChangeVote(node.index, height, round),
    prepared: undefined,
    block: undefined,
    prepares: [],
  };
  const claim = { round: Math.max(0, round - 1), digest: signatureOf(content.vote.digest).subarray(0, 32) };
  const unbacked: ConsensusMessage = {
    kind: 'round-change',
    vote: roundChangeVote(node.index, height, round, claim),
    prepared: claim,
    block: content.block,
    prepares: content.prepares,
  };
  const farAhead: ConsensusMessage = {
    ...silentAboutIt,
    vote: roundChangeVote(node.index, height, round + 5 + random.below(1_000)),
  };
  const lies = [silentAboutIt, unbacked, farAhead];
  return [lies[random.below(lies.length)] ?? content];
};

/** Sends a message to some and not to others. */
export const withhold: Strategy = (_node, content, _to, { random }) => (random.chance(0.5) ? [content] : []);
