import { expect } from 'chai';
import fc from 'fast-check';
import { sha256, toHex, utf8, type Block } from '@it-chain/contracts';
import {
  judgeProposal,
  judgeRoundChange,
  membersOf,
  type HeightView,
  type PreparedClaim,
  type Rejection,
  type SignedVote,
} from '@it-chain/plugin-consensus';
import {
  NETWORK,
  blockOn,
  digestOf,
  genesisTip,
  keyOf,
  roundChangeVote,
  setOf,
  tipAfter,
  voteOf,
} from '../support/fixtures.js';

type Proposal = Parameters<typeof judgeProposal>[1];
type RoundChange = Parameters<typeof judgeRoundChange>[1];

const tip = tipAfter(genesisTip(4), blockOn(genesisTip(4), 0));
const HEIGHT = 2;
const view: HeightView = {
  network: NETWORK,
  height: HEIGHT,
  previous: tip.digest,
  members: membersOf(setOf(4)),
  leader: (round) => toHex(keyOf(round % 4)),
};
const blockOf = (creator: number, salt = 0): Block => blockOn(tip, creator, salt);
const claimOf = (round: number, block: Block): PreparedClaim => ({ round, digest: digestOf(block) });
const prepares = (round: number, block: Block, signers: readonly number[] = [0, 1, 2]): SignedVote[] =>
  signers.map((signer) => voteOf(signer, 'prepare', HEIGHT, round, digestOf(block)));
const claims = (round: number, signers: readonly number[], prepared?: PreparedClaim): Proposal['roundChanges'] =>
  signers.map((signer) => ({ vote: roundChangeVote(signer, HEIGHT, round, prepared), prepared }));

function proposal(round: number, block: Block, changes: Partial<Proposal> = {}): Proposal {
  const vote = voteOf(round % 4, 'proposal', HEIGHT, round, digestOf(block));
  return { vote, block, roundChanges: [], prepares: [], ...changes };
}

const own = blockOf(0);
const other = blockOf(1, 7);
const stranger = 9;
const higher = blockOf(2, 3);
const first = proposal(0, own);
const free = proposal(1, blockOf(1), { roundChanges: claims(1, [0, 1, 2]) });
const bound = proposal(1, own, {
  roundChanges: [...claims(1, [0, 1]), ...claims(1, [2], claimOf(0, own))],
  prepares: prepares(0, own),
});
const withVote = (base: Proposal, changes: Partial<SignedVote>): Proposal => ({
  ...base,
  vote: { ...base.vote, ...changes },
});
const withClaim = (base: Proposal, changes: Partial<SignedVote>): Proposal => ({
  ...base,
  roundChanges: base.roundChanges.map((claim, at) =>
    at === 0 ? { ...claim, vote: { ...claim.vote, ...changes } } : claim,
  ),
});
const withPrepare = (base: Proposal, changes: Partial<SignedVote>): Proposal => ({
  ...base,
  prepares: base.prepares.map((vote, at) => (at === 0 ? { ...vote, ...changes } : vote)),
});
const elsewhere = blockOn(genesisTip(4), 0, 5);
const otherParent: Block = blockOn({ ...tip, digest: sha256(utf8('elsewhere')) }, 0);

type Verdict = Rejection | 'fresh' | 'bound';
const table: readonly (readonly [string, Proposal, Verdict])[] = [
  ['round 0: the leader proposes its own block', first, 'fresh'],
  ['round 0: any block of its own, also another one', proposal(0, blockOf(0, 99)), 'fresh'],
  ['round 0: with round changes', { ...first, roundChanges: claims(1, [0, 1, 2]) }, 'justification-in-round-0'],
  ['round 0: with prepares', { ...first, prepares: prepares(0, own) }, 'justification-in-round-0'],
  [
    'round 0: with both',
    { ...first, roundChanges: claims(1, [0]), prepares: prepares(0, own) },
    'justification-in-round-0',
  ],
  ['round 0: a block that somebody else made', proposal(0, other), 'not-its-creator'],
  ['round 0: of a validator that does not lead it', withVote(first, { signer: keyOf(1) }), 'not-the-leader'],
  ['round 0: of the leader of round 1', withVote(first, { signer: keyOf(1), round: 0 }), 'not-the-leader'],
  ['round 0: of a stranger', withVote(first, { signer: keyOf(stranger) }), 'not-the-leader'],
  ['of another type: prepare', withVote(first, { type: 'prepare' }), 'wrong-type'],
  ['of another type: commit', withVote(first, { type: 'commit' }), 'wrong-type'],
  ['of another type: round change', withVote(first, { type: 'round-change' }), 'wrong-type'],
  ['of another type: none', withVote(first, { type: 'none' }), 'wrong-type'],
  ['of the height below', withVote(first, { height: HEIGHT - 1 }), 'wrong-height'],
  ['of the height above', withVote(first, { height: HEIGHT + 1 }), 'wrong-height'],
  [
    'a header that cannot be read',
    { ...first, block: { header: utf8('no header'), transactions: [] } },
    'header-malformed',
  ],
  ['an empty header', { ...first, block: { header: new Uint8Array(0), transactions: [] } }, 'header-malformed'],
  ['another block than was signed', { ...first, block: other }, 'digest-mismatch'],
  ['another digest than the block has', withVote(first, { digest: new Uint8Array(32) }), 'digest-mismatch'],
  ['a block of another height', proposal(0, elsewhere), 'block-of-another-height'],
  ['a block on another parent', proposal(0, otherParent), 'block-of-another-parent'],
  ['round 1: nobody prepared, the leader makes its own', free, 'fresh'],
  ['round 1: with all four round changes', { ...free, roundChanges: claims(1, [0, 1, 2, 3]) }, 'fresh'],
  ["round 1: without the leader's own round change", { ...free, roundChanges: claims(1, [0, 2, 3]) }, 'fresh'],
  ['round 5: the leader of round 5', proposal(5, blockOf(1), { roundChanges: claims(5, [0, 1, 2]) }), 'fresh'],
  ['round 1: by the leader of round 0', withVote(free, { signer: keyOf(0) }), 'not-the-leader'],
  [
    "round 1: somebody else's block, which nobody prepared",
    proposal(1, own, { roundChanges: claims(1, [0, 1, 2]) }),
    'not-its-creator',
  ],
  ['round 1: without round changes', { ...free, roundChanges: [] }, 'too-few-round-changes'],
  ['round 1: with one round change too few', { ...free, roundChanges: claims(1, [0, 1]) }, 'too-few-round-changes'],
  [
    'round 1: a quorum only with one of them twice',
    { ...free, roundChanges: claims(1, [0, 1, 1]) },
    'round-change-twice',
  ],
  [
    'round 1: one of them twice beside a quorum',
    { ...free, roundChanges: claims(1, [0, 1, 2, 2]) },
    'round-change-twice',
  ],
  [
    'round 1: a round change of a stranger',
    { ...free, roundChanges: claims(1, [0, 1, stranger]) },
    'round-change-of-a-stranger',
  ],
  [
    'round 1: a stranger beside a quorum',
    { ...free, roundChanges: claims(1, [0, 1, 2, stranger]) },
    'round-change-of-a-stranger',
  ],
  [
    'round 1: round changes of round 2',
    { ...free, roundChanges: claims(2, [0, 1, 2]) },
    'round-change-of-another-round',
  ],
  [
    'round 2: round changes of round 1',
    proposal(2, higher, { roundChanges: claims(1, [0, 1, 2]) }),
    'round-change-of-another-round',
  ],
  [
    'round 1: one of another round among them',
    { ...free, roundChanges: [...claims(1, [0, 1]), ...claims(2, [2])] },
    'round-change-of-another-round',
  ],
  [
    'round 1: a round change of another height',
    withClaim(free, { height: HEIGHT - 1 }),
    'round-change-of-another-height',
  ],
  [
    'round 1: a prepare in place of a round change',
    withClaim(free, { type: 'prepare' }),
    'round-change-of-another-type',
  ],
  ['round 1: a commit in place of a round change', withClaim(free, { type: 'commit' }), 'round-change-of-another-type'],
  [
    'round 1: a claim that was not signed',
    {
      ...free,
      roundChanges: [...claims(1, [0, 1]), { vote: roundChangeVote(2, HEIGHT, 1), prepared: claimOf(0, own) }],
    },
    'round-change-claim-mismatch',
  ],
  [
    'round 1: a signed claim left out',
    { ...free, roundChanges: [...claims(1, [0, 1]), { vote: roundChangeVote(2, HEIGHT, 1, claimOf(0, own)) }] },
    'round-change-claim-mismatch',
  ],
  [
    'round 1: a claim with another round than was signed',
    {
      ...bound,
      roundChanges: [
        ...claims(1, [0, 1]),
        { vote: roundChangeVote(2, HEIGHT, 1, claimOf(0, own)), prepared: claimOf(1, own) },
      ],
    },
    'round-change-claim-mismatch',
  ],
  [
    'round 1: a claim about round 1 itself',
    { ...bound, roundChanges: [...claims(1, [0, 1]), ...claims(1, [2], claimOf(1, own))] },
    'round-change-claim-not-below',
  ],
  [
    'round 1: a claim about a later round',
    { ...bound, roundChanges: [...claims(1, [0, 1]), ...claims(1, [2], claimOf(4, own))] },
    'round-change-claim-not-below',
  ],
  ['round 1: prepares although nobody claims any', { ...free, prepares: prepares(0, own) }, 'prepares-without-claim'],
  ['round 1: the prepared block, made by another leader', bound, 'bound'],
  ['round 1: the prepared block with four prepares', { ...bound, prepares: prepares(0, own, [0, 1, 2, 3]) }, 'bound'],
  ['round 1: all claim the prepared block', { ...bound, roundChanges: claims(1, [0, 1, 2], claimOf(0, own)) }, 'bound'],
  [
    'round 1: a block of its own although another was prepared',
    { ...bound, block: blockOf(1), vote: voteOf(1, 'proposal', HEIGHT, 1, digestOf(blockOf(1))) },
    'not-the-prepared-block',
  ],
  ['round 1: the prepared block without prepares', { ...bound, prepares: [] }, 'too-few-prepares'],
  ['round 1: one prepare too few', { ...bound, prepares: prepares(0, own, [0, 1]) }, 'too-few-prepares'],
  [
    'round 1: a quorum of prepares only with one twice',
    { ...bound, prepares: prepares(0, own, [0, 1, 1]) },
    'prepare-twice',
  ],
  [
    'round 1: one prepare twice beside a quorum',
    { ...bound, prepares: prepares(0, own, [0, 1, 2, 2]) },
    'prepare-twice',
  ],
  [
    'round 1: a prepare of a stranger',
    { ...bound, prepares: prepares(0, own, [0, 1, stranger]) },
    'prepare-of-a-stranger',
  ],
  ['round 1: prepares of another block', { ...bound, prepares: prepares(0, other) }, 'prepare-of-another-digest'],
  [
    'round 1: one prepare of another block',
    withPrepare(bound, { digest: digestOf(other) }),
    'prepare-of-another-digest',
  ],
  ['round 1: prepares of another round', { ...bound, prepares: prepares(1, own) }, 'prepare-of-another-round'],
  ['round 1: a prepare of another height', withPrepare(bound, { height: HEIGHT + 1 }), 'prepare-of-another-height'],
  ['round 1: commits in place of prepares', withPrepare(bound, { type: 'commit' }), 'prepare-of-another-type'],
  [
    'round 3: the highest claim wins',
    proposal(3, other, {
      roundChanges: [...claims(3, [0], claimOf(0, own)), ...claims(3, [1], claimOf(1, other)), ...claims(3, [2])],
      prepares: prepares(1, other),
    }),
    'bound',
  ],
  [
    'round 3: a lower claim although a higher one is there',
    proposal(3, own, {
      roundChanges: [...claims(3, [0], claimOf(0, own)), ...claims(3, [1], claimOf(1, other)), ...claims(3, [2])],
      prepares: prepares(0, own),
    }),
    'not-the-prepared-block',
  ],
  [
    'round 3: the highest claim with prepares of the lower one',
    proposal(3, other, {
      roundChanges: [...claims(3, [0], claimOf(0, own)), ...claims(3, [1], claimOf(1, other)), ...claims(3, [2])],
      prepares: prepares(0, own),
    }),
    'prepare-of-another-round',
  ],
  [
    'round 3: two equal claims for different blocks, one of them proven',
    proposal(3, own, {
      roundChanges: [...claims(3, [0], claimOf(1, own)), ...claims(3, [1], claimOf(1, other)), ...claims(3, [2])],
      prepares: prepares(1, own),
    }),
    'bound',
  ],
  [
    'round 3: two equal claims for different blocks, the other one proven',
    proposal(3, own, {
      roundChanges: [...claims(3, [0], claimOf(1, own)), ...claims(3, [1], claimOf(1, other)), ...claims(3, [2])],
      prepares: prepares(1, other),
    }),
    'prepare-of-another-digest',
  ],
];

const change = (round: number, changes: Partial<RoundChange> = {}): RoundChange => ({
  vote: roundChangeVote(0, HEIGHT, round),
  prepares: [],
  ...changes,
});
const backed = (round: number, prepared: PreparedClaim, block: Block, votes: readonly SignedVote[]): RoundChange => ({
  vote: roundChangeVote(0, HEIGHT, round, prepared),
  prepared,
  block,
  prepares: votes,
});
const changes: readonly (readonly [string, RoundChange, Rejection | undefined])[] = [
  ['nothing prepared', change(1), undefined],
  ['a far round', change(4_000_000_000), undefined],
  ['a prepared block with its quorum', backed(2, claimOf(1, other), other, prepares(1, other)), undefined],
  ['round 0', change(0), 'round-change-in-round-0'],
  ['of a stranger', { ...change(1), vote: roundChangeVote(stranger, HEIGHT, 1) }, 'round-change-of-a-stranger'],
  ['of another height', { ...change(1), vote: roundChangeVote(0, HEIGHT + 1, 1) }, 'round-change-of-another-height'],
  ['a block that is not claimed', change(1, { block: own }), 'block-without-claim'],
  ['prepares that are not claimed', change(1, { prepares: prepares(0, own) }), 'prepares-without-claim'],
  [
    'a claim without its block',
    { ...backed(1, claimOf(0, own), own, prepares(0, own)), block: undefined },
    'claim-without-block',
  ],
  ['a claim with another block', backed(1, claimOf(0, own), other, prepares(0, own)), 'digest-mismatch'],
  ['a claim nobody backs', backed(1, claimOf(0, own), own, []), 'too-few-prepares'],
  ['a claim backed by too few', backed(1, claimOf(0, own), own, prepares(0, own, [1, 2])), 'too-few-prepares'],
  ['a claim backed by one twice', backed(1, claimOf(0, own), own, prepares(0, own, [1, 2, 2])), 'prepare-twice'],
  [
    'a claim backed by votes of another round',
    backed(2, claimOf(1, own), own, prepares(0, own)),
    'prepare-of-another-round',
  ],
  ['a claim about its own round', backed(1, claimOf(1, own), own, prepares(1, own)), 'round-change-claim-not-below'],
  [
    'a claim that was not signed',
    { ...backed(1, claimOf(0, own), own, prepares(0, own)), vote: roundChangeVote(0, HEIGHT, 1) },
    'round-change-claim-mismatch',
  ],
];

describe('JUSTIFIED', () => {
  it(`has at least 60 cases and meets every rejection`, () => {
    expect(table.length).to.be.at.least(60);
    const met = new Set([...table.map(([, , verdict]) => verdict), ...changes.map(([, , verdict]) => verdict)]);
    const all: readonly Rejection[] = [
      'wrong-type',
      'wrong-height',
      'not-the-leader',
      'header-malformed',
      'digest-mismatch',
      'block-of-another-height',
      'block-of-another-parent',
      'justification-in-round-0',
      'not-its-creator',
      'too-few-round-changes',
      'round-change-of-another-type',
      'round-change-of-another-height',
      'round-change-of-another-round',
      'round-change-of-a-stranger',
      'round-change-twice',
      'round-change-claim-mismatch',
      'round-change-claim-not-below',
      'prepares-without-claim',
      'block-without-claim',
      'not-the-prepared-block',
      'too-few-prepares',
      'prepare-of-another-type',
      'prepare-of-another-height',
      'prepare-of-another-round',
      'prepare-of-another-digest',
      'prepare-of-a-stranger',
      'prepare-twice',
      'round-change-in-round-0',
      'claim-without-block',
    ];
    for (const rejection of all) expect(met.has(rejection), rejection).to.equal(true);
  });

  for (const [title, given, expected] of table) {
    it(`${title}: ${expected}`, () => {
      const judgement = judgeProposal(view, given);
      const got = 'rejection' in judgement ? judgement.rejection : judgement.fresh ? 'fresh' : 'bound';
      expect(got).to.equal(expected);
    });
  }

  it('what justifies with four validators does not with seven', () => {
    const seven: HeightView = { ...view, members: membersOf(setOf(7)) };
    expect(judgeProposal(seven, free)).to.deep.equal({ rejection: 'too-few-round-changes' });
    expect(judgeProposal(seven, { ...bound, roundChanges: claims(1, [0, 1, 2, 3, 4], claimOf(0, own)) })).to.deep.equal(
      { rejection: 'too-few-prepares' },
    );
  });

  it('one validator justifies alone', () => {
    const one: HeightView = { ...view, members: membersOf(setOf(1)), leader: () => toHex(keyOf(0)) };
    const block = blockOf(0, 4);
    const given: Proposal = {
      vote: voteOf(0, 'proposal', HEIGHT, 7, digestOf(block)),
      block,
      roundChanges: claims(7, [0]),
      prepares: [],
    };
    expect(judgeProposal(one, given)).to.deep.equal({ fresh: true });
  });

  it('property: no subset of fewer than a quorum of round changes justifies', () => {
    fc.assert(
      fc.property(fc.subarray([0, 1, 2, 3]), (signers) => {
        const judgement = judgeProposal(view, { ...free, roundChanges: claims(1, signers) });
        expect('fresh' in judgement).to.equal(signers.length >= 3);
      }),
    );
  });
});

describe('a ROUND_CHANGE is counted', () => {
  for (const [title, given, expected] of changes) {
    it(`${title}: ${expected ?? 'yes'}`, () => {
      expect(judgeRoundChange(view, given)).to.equal(expected);
    });
  }
});
