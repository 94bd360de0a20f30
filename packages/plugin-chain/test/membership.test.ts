import { expect } from 'chai';
import fc from 'fast-check';
import {
  BlockHeader,
  MEMBERSHIP_CODES,
  applyMembership,
  genesisSystemState,
  networkOf,
  sameBytes,
  systemRootOf,
  toHex,
  validatorSetHash,
  verifiedGenesis,
  verifyChain,
  verifyNextBlock,
  Block,
  type CertifiedBlock,
  Certificate,
  hasCode,
  type Genesis,
  type Membership,
  type SystemState,
} from '@it-chain/contracts';
import { RecordingLog } from '@it-chain/testkit';
import { tellMembers } from '../dist/member-news.js';
import { ChainFixture, genesisOf, idOf, join, keysOf, leave, promote, transaction, withHeader } from './fixture.js';

const names = ['alice', 'bob', 'carol', 'dave', 'eve', 'frank'];
const keyOf = (name: string): Uint8Array => keysOf(name).publicKey;

function apply(
  state: SystemState,
  genesis: Genesis,
  sender: string,
  membership: Membership,
): ReturnType<typeof applyMembership> {
  const change = { id: new Uint8Array(32), sender: keyOf(sender), membership };
  return applyMembership(state, change, { genesis, network: networkOf(genesis), height: 1 });
}

const name = fc.constantFrom(...names);
const change = fc.oneof(
  fc.record({ kind: fc.constant('join' as const), sender: name, subject: name, forged: fc.boolean() }),
  fc.record({ kind: fc.constant('promote' as const), sender: name, subjects: fc.array(name, { maxLength: 3 }) }),
  fc.record({ kind: fc.constant('leave' as const), sender: name }),
);

describe('membership', () => {
  it('no sequence of changes breaks the policy of the network', () => {
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 60, size: 'max' }),
        fc.constantFrom('skip-two' as const, 'immediate' as const),
        fc.integer({ min: 0, max: 3 }),
        fc.constantFrom('open' as const, 'allowlist' as const),
        (changes, growth, minValidators, admission) => {
          const allowlist = ['bob', 'carol', 'dave'].map(keyOf);
          const genesis = genesisOf(['alice'], { growth, minValidators, admission, allowlist });
          let state = genesisSystemState(genesis);
          const given = new Set([0]);
          for (const one of changes) {
            const before = state;
            const membership =
              one.kind === 'leave'
                ? leave
                : one.kind === 'promote'
                  ? promote(...one.subjects)
                  : join(genesis, one.subject, one.forged ? 'mallory' : one.subject);
            const outcome = apply(state, genesis, one.sender, membership);
            state = outcome.state;
            if (outcome.code !== 0) {
              expect(state).to.equal(before);
              expect(outcome.message).to.not.equal('');
              continue;
            }
            const members = [...state.validators, ...state.learners].map(({ publicKey }) => toHex(publicKey));
            expect(new Set(members).size).to.equal(members.length);
            expect(state.validators.length).to.be.greaterThan(0);
            if (one.kind === 'leave') expect(members).to.not.include(toHex(keyOf(one.sender)));
            else
              expect(before.validators.some(({ publicKey }) => sameBytes(publicKey, keyOf(one.sender)))).to.equal(true);
            if (growth === 'skip-two') expect(state.validators.length).to.not.equal(2);
            if (state.validators.length < before.validators.length) {
              expect(state.validators.length).to.be.at.least(Math.max(1, minValidators));
            }
            const order = state.validators.map(({ sequence }) => sequence);
            expect(order).to.deep.equal([...order].sort((a, b) => a - b));
            if (one.kind === 'join') {
              expect(one.forged && one.subject !== 'mallory').to.equal(false);
              if (admission === 'allowlist') expect(['bob', 'carol', 'dave']).to.include(one.subject);
              const newest = state.learners.at(-1)!.sequence;
              expect(given.has(newest)).to.equal(false);
              given.add(newest);
            }
            expect(systemRootOf(state)).to.have.length(32);
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it('refuses with a code that says why', () => {
    const genesis = genesisOf(['alice']);
    const start = genesisSystemState(genesis);
    const withBob = apply(start, genesis, 'alice', join(genesis, 'bob')).state;
    const two = apply(withBob, genesis, 'alice', join(genesis, 'carol')).state;
    const three = apply(two, genesis, 'alice', promote('bob', 'carol')).state;
    const vote = genesisOf(['alice'], { admission: 'vote' });
    const listed = genesisOf(['alice'], { admission: 'allowlist', allowlist: [keyOf('dave')] });
    const cases: [number, SystemState, Genesis, string, Membership][] = [
      [MEMBERSHIP_CODES.empty, start, genesis, 'alice', {}],
      [MEMBERSHIP_CODES.empty, start, genesis, 'alice', promote()],
      [MEMBERSHIP_CODES.notValidator, withBob, genesis, 'bob', join(genesis, 'carol')],
      [MEMBERSHIP_CODES.notValidator, withBob, genesis, 'bob', promote('bob')],
      [MEMBERSHIP_CODES.notAdmitted, start, vote, 'alice', join(vote, 'bob')],
      [MEMBERSHIP_CODES.notAdmitted, start, listed, 'alice', join(listed, 'bob')],
      [MEMBERSHIP_CODES.done, start, listed, 'alice', join(listed, 'dave')],
      [MEMBERSHIP_CODES.signature, start, genesis, 'alice', join(genesis, 'bob', 'mallory')],
      [MEMBERSHIP_CODES.signature, start, genesis, 'alice', join(listed, 'bob')],
      [MEMBERSHIP_CODES.alreadyMember, withBob, genesis, 'alice', join(genesis, 'bob')],
      [MEMBERSHIP_CODES.alreadyMember, withBob, genesis, 'alice', join(genesis, 'alice')],
      [MEMBERSHIP_CODES.notLearner, withBob, genesis, 'alice', promote('bob', 'dave')],
      [MEMBERSHIP_CODES.notLearner, two, genesis, 'alice', promote('bob', 'bob')],
      [MEMBERSHIP_CODES.growth, withBob, genesis, 'alice', promote('bob')],
      [MEMBERSHIP_CODES.growth, three, genesis, 'carol', leave],
      [MEMBERSHIP_CODES.notMember, start, genesis, 'bob', leave],
      [MEMBERSHIP_CODES.tooFew, start, genesis, 'alice', leave],
      [MEMBERSHIP_CODES.done, withBob, genesis, 'bob', leave],
    ];
    for (const [code, state, network, sender, membership] of cases) {
      expect(apply(state, network, sender, membership).code).to.equal(code);
    }
  });

  it('C6: a change of members in block h holds from V(h+2) on', async () => {
    const genesis = genesisOf(['alice']);
    const node = await new ChainFixture('alice', genesis).start();
    await node.advance(
      transaction(genesis, 'alice', { membership: join(genesis, 'bob') }),
      transaction(genesis, 'alice', { membership: join(genesis, 'carol') }),
    );
    expect((await node.tip()).learners.map((learner) => learner.name)).to.deep.equal(['bob', 'carol']);
    const promotion = transaction(genesis, 'alice', { membership: promote('carol', 'bob') });
    await node.advance(promotion, transaction(genesis, 'mallory', { membership: promote('bob') }));
    const sizes = async (): Promise<number[]> => {
      const { validators, nextValidators } = await node.tip();
      return [validators.validators.length, nextValidators.validators.length];
    };
    expect(await sizes()).to.deep.equal([1, 3]);
    const roles = async (): Promise<string[]> =>
      (await node.chain.roles({ publicKeys: ['alice', 'bob', 'dave'].map(keyOf) })).roles.map(({ role }) => role);
    expect(await roles()).to.deep.equal(['validator', 'learner', 'observer']);
    const { transactions } = await node.chain.locate({ ids: [idOf(promotion)] });
    expect(transactions[0]?.receipt?.code).to.equal(0);
    const { block } = await node.advance();
    expect(await sizes()).to.deep.equal([3, 3]);
    expect(await roles()).to.deep.equal(['validator', 'validator', 'observer']);
    const header = BlockHeader.decode(block.header);
    expect(toHex(header.nextValidators)).to.equal(toHex(validatorSetHash((await node.tip()).validators)));
    await node.advance();
    const at = async (height: number): Promise<string[]> =>
      (await node.chain.validators({ height })).validators.validators.map(({ publicKey }) => toHex(publicKey));
    expect((await Promise.all([1, 2, 3, 4, 5, 6].map(at))).map((set) => set.length)).to.deep.equal([1, 1, 1, 3, 3, 3]);
    expect(await at(5)).to.deep.equal(['alice', 'bob', 'carol'].map((one) => toHex(keyOf(one))));
    expect(hasCode(await at(7).catch((error: unknown) => error), 'ERR_BLOCK_NOT_FOUND')).to.equal(true);
    expect((await node.chain.validators({ height: 0 })).quorum).to.equal(2);
    const again = await node.restart();
    expect(await again.tip()).to.deep.equal(await node.tip());
  });
});

describe('verifyChain', () => {
  async function chain(): Promise<{ genesis: Genesis; node: ChainFixture; blocks: CertifiedBlock[] }> {
    const genesis = genesisOf(['alice'], { growth: 'immediate' });
    const node = await new ChainFixture('alice', genesis).start();
    await node.advance(transaction(genesis, 'alice', { membership: join(genesis, 'bob') }));
    await node.advance(transaction(genesis, 'alice', { membership: promote('bob') }), transaction(genesis, 'x'));
    for (let more = 0; more < 3; more += 1) await node.advance(transaction(genesis, 'x'));
    const { blocks } = await node.chain.range({ from: 1, maxCount: 0, maxBytes: 0 });
    return { genesis, node, blocks: [...blocks] };
  }

  it('walks from the genesis to the tip and finds the validator sets by itself', async () => {
    const { genesis, node, blocks } = await chain();
    const at = await verifyChain(genesis, blocks);
    const tip = await node.tip();
    expect([at.height, toHex(at.digest)]).to.deep.equal([tip.height, toHex(tip.digest)]);
    expect(at.validators).to.deep.equal(tip.validators);
    expect(toHex(systemRootOf(at.system))).to.equal(toHex(tip.systemRoot));
  });

  it('finds every change in any block', async () => {
    const { genesis, blocks } = await chain();
    const codes = new Set<string>();
    for (let height = 1; height <= blocks.length; height += 1) {
      let at = verifiedGenesis(genesis);
      for (const block of blocks.slice(0, height - 1)) at = verifyNextBlock(at, block);
      const honest = blocks[height - 1]!;
      verifyNextBlock(at, honest);
      const block = Block.decode(honest.block);
      const certificate = Certificate.decode(honest.certificate);
      const forge = (change: Partial<{ block: Block; certificate: Certificate }>): CertifiedBlock => ({
        block: Block.encode(change.block ?? block),
        certificate: Certificate.encode(change.certificate ?? certificate),
      });
      const wrong = [
        forge({ block: withHeader(block, { time: 1 }) }),
        forge({ block: withHeader(block, { previousStateRoot: new Uint8Array(32) }) }),
        forge({ block: { ...block, transactions: [] } }),
        forge({ certificate: { ...certificate, seals: certificate.seals.slice(1) } }),
        forge({ certificate: { ...certificate, height: height + 1 } }),
        forge({ certificate: { ...certificate, round: 3 } }),
        forge({
          certificate: {
            ...certificate,
            seals: certificate.seals.map((seal) => ({ ...seal, signature: new Uint8Array(64) })),
          },
        }),
        blocks[height % blocks.length]!,
        { ...honest, block: honest.block.subarray(1) },
      ];
      for (const [index, one] of wrong.entries()) {
        let code = '';
        try {
          verifyNextBlock(at, one);
        } catch (error) {
          code = (error as { code: string }).code;
        }
        expect(code, `change ${index} at height ${height}`).to.match(/^ERR_(BLOCK|CERTIFICATE)_INVALID$/);
        codes.add(code);
      }
    }
    expect(codes.size).to.equal(2);
  });
});

describe('news of members', () => {
  it('are told in the log: who came, was promoted, left or was evicted, and what that costs', () => {
    const log = new RecordingLog();
    const [alice, bob, carol, dave] = ['alice', 'bob', 'carol', 'dave'].map((name, sequence) => ({
      publicKey: keysOf(name).publicKey,
      name,
      sequence,
    }));
    if (alice === undefined || bob === undefined || carol === undefined || dave === undefined) throw new RangeError();
    const four = { ...genesisSystemState(genesisOf(['alice'])), validators: [alice, bob, carol, dave] };
    const told = (before: typeof four, after: typeof four): string[] => {
      log.lines.length = 0;
      tellMembers(log, before, after, 7);
      return log.lines.map(({ message, fields }) => {
        const { reason, role } = fields as { readonly reason?: string; readonly role?: string };
        return `${message} ${reason ?? role ?? ''}`.trim();
      });
    };
    expect(told(four, four)).to.deep.equal([]);
    expect(told({ ...four, validators: [alice] }, { ...four, validators: [alice], learners: [bob] })).to.deep.equal([
      'a node is a member now learner',
    ]);
    expect(
      told({ ...four, validators: [alice], learners: [bob] }, { ...four, validators: [alice, bob] }),
    ).to.deep.equal(['a learner is promoted']);
    expect(told({ ...four, learners: [dave], validators: [alice] }, { ...four, validators: [alice] })).to.deep.equal([
      'a member has left',
    ]);
    const evicted = [{ publicKey: dave.publicKey, height: 7, reason: 'two votes', readmitted: 0 }];
    expect(told(four, { ...four, validators: [alice, bob, carol], evicted })).to.deep.equal([
      'a member was evicted two votes',
      'fewer Byzantine validators are tolerated',
    ]);
  });
});
