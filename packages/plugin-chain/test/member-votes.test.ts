import { expect } from 'chai';
import fc from 'fast-check';
import {
  MAX_PROPOSALS,
  MAX_PROPOSALS_EACH,
  MEMBERSHIP_CODES,
  PROPOSAL_HEIGHTS,
  SystemState,
  applyMembership,
  equivocation,
  genesisSystemState,
  networkOf,
  policyOf,
  quorumOf,
  sameBytes,
  sha256,
  signBytes,
  systemRootOf,
  tally,
  toHex,
  utf8,
  verifyChain,
  voteSigningBytes,
  type EquivocationEvidence,
  type Genesis,
  type MemberAction,
  type Membership,
  type MembershipOutcome,
} from '@it-chain/contracts';
import { ChainFixture, genesisOf, idOf, join, keysOf, leave, promote, transaction } from './fixture.js';

const { done } = MEMBERSHIP_CODES;
const key = (name: string): Uint8Array => keysOf(name).publicKey;
const idFor = (number: number): Uint8Array => sha256(utf8(`proposal ${number}`));
const admit = (name: string): MemberAction => ({ admit: { publicKey: key(name), name } });
const evict = (name: string, reason = 'is gone'): MemberAction => ({ evict: { publicKey: key(name), reason } });
const policy = (change: Partial<NonNullable<MemberAction['policy']>>): MemberAction => ({
  policy: { allow: [], disallow: [], ...change },
});
const propose = (action: MemberAction, approve = true): Membership => ({ propose: { action, approve } });
const vote = (number: number, approve = true): Membership => ({ vote: { proposal: idFor(number), approve } });

/** A state that changes are applied to one after the other; `id` counts up from 1. */
class Bench {
  state: SystemState;
  height = 1;
  id = 0;
  constructor(readonly genesis: Genesis) {
    this.state = genesisSystemState(genesis);
  }

  do(sender: string, membership: Membership): MembershipOutcome {
    this.id += 1;
    const change = { id: idFor(this.id), sender: key(sender), membership };
    const terms = { genesis: this.genesis, network: networkOf(this.genesis), height: this.height };
    const outcome = applyMembership(this.state, change, terms);
    if (outcome.code !== done) expect(outcome.state).to.equal(this.state);
    // Whatever comes out is canonical: the root is one on all nodes.
    const encoded = SystemState.encode(outcome.state);
    expect(toHex(SystemState.encode(SystemState.decodeCanonical(encoded)))).to.equal(toHex(encoded));
    this.state = outcome.state;
    return outcome;
  }

  code(sender: string, membership: Membership): string {
    const { code } = this.do(sender, membership);
    return Object.entries(MEMBERSHIP_CODES).find(([, value]) => value === code)?.[0] ?? String(code);
  }

  get validators(): string[] {
    return this.state.validators.map(({ publicKey }) => toHex(publicKey));
  }
}

const four = ['alice', 'bob', 'carol', 'dave'];
const bench = (validators = four, changes: Partial<Genesis> = {}): Bench =>
  new Bench(genesisOf(validators, { admission: 'vote', window: 1_000, ...changes }));

function evidenceOf(
  network: Uint8Array,
  name: string,
  change: Partial<{ height: number; signer: string; same: boolean; type: 'prepare' | 'none' }> = {},
): EquivocationEvidence {
  const { height = 5, signer = name, same = false, type = 'prepare' } = change;
  const half = (text: string): { digest: Uint8Array; signature: Uint8Array } => {
    const digest = sha256(utf8(text));
    const content = voteSigningBytes(network, { type, height, round: 0, digest });
    return { digest, signature: signBytes(content, keysOf(signer).secretKey) };
  };
  return equivocation({ publicKey: key(name), type, height, round: 0 }, half('one'), half(same ? 'one' : 'two'));
}

describe('admission by vote', () => {
  it('a quorum of the last scheduled set admits, and not one approval less', () => {
    for (let n = 1; n <= 7; n += 1) {
      const names = Array.from({ length: n }, (_, index) => `validator ${index}`);
      const at = bench(names);
      expect(at.code(names[0]!, propose(admit('eve')))).to.equal('done');
      for (let votes = 1; votes < quorumOf(n); votes += 1) {
        expect(at.state.learners, `${votes} of ${n}`).to.have.length(0);
        expect(at.code(names[votes]!, vote(1))).to.equal('done');
      }
      expect(at.state.learners.map(({ name }) => name)).to.deep.equal(['eve']);
      expect(at.state.proposals).to.have.length(0);
    }
  });

  it('a proposal without approval is nobody’s vote; votes are one each and can be changed', () => {
    const at = bench();
    at.do('alice', propose(admit('eve'), false));
    expect(tally(at.state, at.state.proposals[0]!)).to.deep.equal({ approvals: 0, rejections: 0 });
    for (let again = 0; again < 3; again += 1) at.do('bob', vote(1));
    expect(tally(at.state, at.state.proposals[0]!)).to.deep.equal({ approvals: 1, rejections: 0 });
    at.do('bob', vote(1, false));
    expect(tally(at.state, at.state.proposals[0]!)).to.deep.equal({ approvals: 0, rejections: 1 });
    // Two of four can keep three from agreeing: it is over.
    expect(at.do('carol', vote(1, false)).message).to.equal('the proposal is rejected');
    expect(at.code('dave', vote(1))).to.equal('noProposal');
  });

  it('its proposer withdraws it by a rejection', () => {
    const at = bench();
    at.do('alice', propose(admit('eve')));
    expect(at.do('alice', vote(1, false)).message).to.equal('the proposal is withdrawn');
    expect(at.state.proposals).to.have.length(0);
  });

  it('the votes of those who left do not count, also when they have come back', () => {
    const at = bench(['alice', 'bob', 'carol', 'dave', 'eve'], { admission: 'open' });
    at.do('alice', propose(evict('eve')));
    at.do('bob', vote(1));
    expect(tally(at.state, at.state.proposals[0]!).approvals).to.equal(2);
    at.do('bob', leave);
    expect(tally(at.state, at.state.proposals[0]!).approvals).to.equal(1);
    at.do('alice', join(at.genesis, 'bob'));
    at.do('alice', promote('bob'));
    expect(tally(at.state, at.state.proposals[0]!).approvals).to.equal(1);
    at.do('carol', vote(1));
    at.do('dave', vote(1));
    expect(at.validators).to.include(toHex(key('eve')));
    at.do('bob', vote(1));
    expect(at.validators).to.not.include(toHex(key('eve')));
  });

  it('a proposal ends with its height, and the next change sweeps it', () => {
    const at = bench(four, { window: 100_000 });
    at.do('alice', propose(admit('eve')));
    at.height += PROPOSAL_HEIGHTS;
    expect(at.code('bob', vote(1))).to.equal('done');
    at.height += 1;
    expect(at.code('carol', vote(1))).to.equal('noProposal');
    expect(at.state.proposals).to.have.length(1);
    expect(at.code('bob', propose(admit('frank')))).to.equal('done');
    expect(at.state.proposals.map(({ proposer }) => toHex(proposer))).to.deep.equal([toHex(key('bob'))]);
    const short = bench(four, { window: 50 });
    short.do('alice', propose(admit('eve')));
    expect(short.state.proposals[0]?.expiresAt).to.equal(51);
  });

  it('so many proposals wait, in all and of one validator, and no more', () => {
    const names = Array.from({ length: 20 }, (_, index) => `validator ${index}`);
    const at = bench(names);
    let joiner = 0;
    for (let mine = 0; mine < MAX_PROPOSALS_EACH; mine += 1) {
      expect(at.code(names[0]!, propose(admit(`joiner ${(joiner += 1)}`)))).to.equal('done');
    }
    expect(at.code(names[0]!, propose(admit('one too many')))).to.equal('tooManyProposals');
    while (at.state.proposals.length < MAX_PROPOSALS) {
      const sender = names[1 + (joiner % 19)]!;
      expect(at.code(sender, propose(admit(`joiner ${(joiner += 1)}`), false))).to.equal('done');
    }
    const idle = names.find((name) => !at.state.proposals.some(({ proposer }) => sameBytes(proposer, key(name))));
    expect(at.code(idle ?? names[19]!, propose(admit('one too many')))).to.equal('tooManyProposals');
  });

  it('refuses with a code that says why', () => {
    const cases: [string, Bench, string, Membership][] = [
      ['empty', bench(), 'alice', propose({})],
      ['notValidator', bench(), 'eve', propose(admit('frank'))],
      ['notValidator', bench(), 'eve', vote(1)],
      ['noProposal', bench(), 'alice', vote(1)],
      ['alreadyMember', bench(), 'alice', propose(admit('bob'))],
      ['notMember', bench(), 'alice', propose(evict('eve'))],
      ['tooFew', bench(four, { minValidators: 4 }), 'alice', propose(evict('bob'))],
      ['growth', bench(['alice', 'bob', 'carol']), 'alice', propose(evict('bob'))],
      ['tooFew', bench(['alice']), 'alice', propose(evict('alice'))],
      ['noChange', bench(), 'alice', propose(policy({}))],
      ['noChange', bench(), 'alice', propose(policy({ admission: 'vote', disallow: [key('eve')] }))],
      ['notAdmitted', bench(), 'alice', join(bench().genesis, 'eve')],
    ];
    for (const [code, at, sender, membership] of cases) expect(at.code(sender, membership)).to.equal(code);
    const at = bench();
    at.do('alice', propose(evict('dave', 'is gone')));
    expect(at.code('bob', propose(evict('dave', 'in other words')))).to.equal('duplicate');
    const full = bench(four, { allowlist: Array.from({ length: 1_000 }, (_, index) => key(`allowed ${index}`)) });
    expect(full.code('alice', propose(policy({ allow: [key('one more')] })))).to.equal('full');
  });

  it('policy, allowlist and growth are what the last vote made them', () => {
    const at = bench();
    const agree = (action: MemberAction): void => {
      at.do('alice', propose(action));
      const number = at.id;
      at.do('bob', vote(number));
      expect(at.do('carol', vote(number)).code).to.equal(done);
    };
    agree(policy({ admission: 'allowlist', allow: [key('eve'), key('frank'), key('eve')] }));
    expect(policyOf(at.state, at.genesis).allowlist).to.have.length(2);
    agree(policy({ disallow: [key('frank')] }));
    expect(at.code('alice', join(at.genesis, 'frank'))).to.equal('notAdmitted');
    expect(at.code('alice', join(at.genesis, 'eve'))).to.equal('done');
    agree(policy({ admission: 'open', growth: 'immediate' }));
    expect(at.code('alice', join(at.genesis, 'frank'))).to.equal('done');
    at.do('alice', leave);
    expect(at.code('bob', leave)).to.equal('done');
    expect(at.state.validators).to.have.length(2);
  });
});

describe('eviction', () => {
  it('a quorum evicts, says where fewer Byzantine validators are tolerated, and only a vote brings the key back', () => {
    const at = bench(four, { admission: 'open' });
    at.do('alice', propose(evict('dave')));
    at.do('bob', vote(1));
    const { message } = at.do('carol', vote(1));
    expect(message).to.equal('with 3 instead of 4 validators, 0 instead of 1 Byzantine ones are tolerated');
    expect(at.validators).to.not.include(toHex(key('dave')));
    expect(at.code('alice', join(at.genesis, 'dave'))).to.equal('evicted');
    at.do('alice', propose(admit('dave')));
    expect(at.code('bob', vote(at.id))).to.equal('done');
    expect(at.state.learners.map(({ name }) => name)).to.deep.equal(['dave']);
    expect(at.do('dave', leave).code).to.equal(done);
    expect(at.code('alice', join(at.genesis, 'dave'))).to.equal('done');
  });

  it('the floor is judged in block order: of two evictions that wait, the second may be refused', () => {
    const at = bench(four);
    at.do('alice', propose(evict('dave')));
    at.do('alice', propose(evict('carol')));
    at.do('bob', vote(1));
    expect(at.code('carol', vote(1))).to.equal('done');
    // Two would be left.
    expect(at.code('bob', vote(2))).to.equal('growth');
    expect(tally(at.state, at.state.proposals[0]!).approvals).to.equal(1);
    expect(at.state.validators).to.have.length(3);
  });

  it('evidence evicts at once, and is checked by everybody', () => {
    const at = bench(four, { admission: 'open' });
    const network = networkOf(at.genesis);
    const accuse = (evidence: EquivocationEvidence): Membership => ({ accuse: { evidence } });
    const good = evidenceOf(network, 'dave');
    const swapped = {
      ...good,
      firstDigest: good.secondDigest,
      firstSignature: good.secondSignature,
      secondDigest: good.firstDigest,
      secondSignature: good.firstSignature,
    };
    for (const [code, sender, evidence] of [
      ['notValidator', 'eve', good],
      ['evidence', 'alice', swapped],
      ['evidence', 'alice', evidenceOf(network, 'dave', { same: true })],
      ['evidence', 'alice', evidenceOf(network, 'dave', { type: 'none' })],
      ['evidence', 'alice', evidenceOf(network, 'dave', { signer: 'carol' })],
      ['evidence', 'alice', evidenceOf(sha256(utf8('another network')), 'dave')],
      ['evidence', 'alice', { ...good, secondSignature: good.firstSignature }],
      ['evidence', 'alice', { ...good, round: 1 }],
      ['evidence', 'alice', evidenceOf(network, 'dave', { height: 0 })],
      ['notMember', 'alice', evidenceOf(network, 'eve')],
    ] as const) {
      expect(at.code(sender, accuse(evidence))).to.equal(code);
    }
    expect(at.code('alice', accuse(good))).to.equal('done');
    expect(at.validators).to.not.include(toHex(key('dave')));
    expect(at.code('alice', accuse(good))).to.equal('notMember');
    expect(at.code('alice', join(at.genesis, 'dave'))).to.equal('evicted');
    // Two validators would be left: even evidence does not do that under skip-two.
    expect(at.code('alice', accuse(evidenceOf(network, 'carol')))).to.equal('growth');
    // Admitted again, the old votes are forgiven; new ones are not. What is older than the window is not looked at.
    at.height = 10;
    at.do('alice', propose(admit('dave')));
    at.do('bob', vote(at.id));
    at.do('alice', promote('dave'));
    expect(at.code('alice', accuse(good))).to.equal('evidence');
    expect(at.code('alice', accuse(evidenceOf(network, 'dave', { height: 11 })))).to.equal('done');
    at.height = 2_000;
    at.do('alice', propose(admit('dave')));
    at.do('bob', vote(at.id));
    at.do('alice', promote('dave'));
    expect(at.code('alice', accuse(evidenceOf(network, 'carol', { height: 999 })))).to.equal('evidence');
    expect(at.code('alice', accuse(evidenceOf(network, 'carol', { height: 1_000 })))).to.equal('done');
  });

  it('no sequence of proposals, votes and evidence breaks what the network demands', () => {
    const name = fc.constantFrom(...four, 'eve', 'frank');
    const action = fc.oneof(
      name.map(admit),
      name.map((one) => evict(one)),
      fc.constantFrom(policy({ admission: 'open' }), policy({ admission: 'vote' }), policy({ growth: 'skip-two' })),
    );
    const step = fc.oneof(
      fc.record({ kind: fc.constant('propose' as const), sender: name, action, approve: fc.boolean() }),
      fc.record({ kind: fc.constant('vote' as const), sender: name, number: fc.nat(60), approve: fc.boolean() }),
      fc.record({ kind: fc.constant('accuse' as const), sender: name, subject: name }),
      fc.record({ kind: fc.constant('promote' as const), sender: name, subject: name }),
      fc.record({ kind: fc.constant('leave' as const), sender: name }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), fc.integer({ min: 1, max: 3 }), (steps, least) => {
        const at = bench(four, { minValidators: least });
        const network = networkOf(at.genesis);
        for (const one of steps) {
          const before = at.state;
          if (one.kind === 'propose') at.do(one.sender, propose(one.action, one.approve));
          else if (one.kind === 'vote') at.do(one.sender, vote(one.number, one.approve));
          else if (one.kind === 'promote') at.do(one.sender, promote(one.subject));
          else if (one.kind === 'leave') at.do(one.sender, leave);
          else at.do(one.sender, { accuse: { evidence: evidenceOf(network, one.subject) } });
          at.height += 1;
          const { validators, learners, proposals, evicted } = at.state;
          expect(validators.length).to.be.at.least(least);
          expect(validators.length).to.not.equal(2);
          const members = [...validators, ...learners].map(({ publicKey }) => toHex(publicKey));
          expect(new Set(members).size).to.equal(members.length);
          expect(proposals.length).to.be.at.most(MAX_PROPOSALS);
          for (const gone of evicted) if (gone.readmitted === 0) expect(members).to.not.include(toHex(gone.publicKey));
          if (one.kind === 'leave') continue;
          const isValidator = before.validators.some(({ publicKey }) => sameBytes(publicKey, key(one.sender)));
          if (!isValidator) expect(at.state).to.equal(before);
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('votes in blocks', () => {
  it('evidence in a block takes its signer out two heights later, and whoever verifies the chain agrees', async () => {
    const genesis = genesisOf(four);
    const node = await new ChainFixture('alice', genesis).start();
    const evidence = evidenceOf(networkOf(genesis), 'dave', { height: 1 });
    const forged = evidenceOf(networkOf(genesis), 'carol', { height: 1, signer: 'dave' });
    const [first, second] = [forged, evidence].map((one) =>
      transaction(genesis, 'bob', { membership: { accuse: { evidence: one } } }),
    );
    await node.advance(first!, second!);
    const { transactions } = await node.chain.locate({ ids: [idOf(first!), idOf(second!)] });
    expect(transactions.map(({ receipt }) => receipt?.code)).to.deep.equal([MEMBERSHIP_CODES.evidence, done]);
    expect(transactions[1]?.receipt?.message).to.include('0 instead of 1 Byzantine ones are tolerated');
    await node.advance();
    await node.advance();
    const sizes = await Promise.all([1, 2, 3].map((height) => node.chain.validators({ height })));
    expect(sizes.map(({ validators }) => validators.validators.length)).to.deep.equal([4, 4, 3]);
    const { blocks } = await node.chain.range({ from: 1, maxCount: 0, maxBytes: 0 });
    const at = await verifyChain(genesis, blocks);
    expect(at.validators.validators.map(({ publicKey }) => toHex(publicKey))).to.not.include(toHex(key('dave')));
    expect(at.system.evicted.map(({ reason }) => reason)).to.deep.equal([
      'signed two prepare votes at height 1, round 0',
    ]);
  });

  it('are executed by the chain and found again by whoever verifies it from the genesis', async () => {
    const genesis = genesisOf(['alice'], { admission: 'vote' });
    const node = await new ChainFixture('alice', genesis).start();
    const membership = propose(admit('bob'), false);
    const proposal = transaction(genesis, 'alice', { membership });
    await node.advance(proposal);
    const { state, policy: holds } = await node.chain.members({});
    expect(holds.admission).to.equal('vote');
    expect(state.proposals.map(({ id }) => toHex(id))).to.deep.equal([toHex(idOf(proposal))]);
    const ballot = { vote: { proposal: idOf(proposal), approve: true } };
    const change = propose(policy({ growth: 'immediate' }));
    await node.advance(
      transaction(genesis, 'alice', { membership: ballot }),
      transaction(genesis, 'alice', { membership: change }),
    );
    expect((await node.tip()).learners.map(({ name }) => name)).to.deep.equal(['bob']);
    expect((await node.tip()).growth).to.equal('immediate');
    await node.advance(transaction(genesis, 'alice', { membership: promote('bob') }));
    const again = await node.restart();
    expect(await again.chain.members({})).to.deep.equal(await node.chain.members({}));
    const { blocks } = await node.chain.range({ from: 1, maxCount: 0, maxBytes: 0 });
    const at = await verifyChain(genesis, blocks);
    expect(toHex(systemRootOf(at.system))).to.equal(toHex((await node.tip()).systemRoot));
    expect(at.system.validators).to.have.length(2);
  });
});
