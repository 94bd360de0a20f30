import { expect } from 'chai';
import { toHex } from '@it-chain/contracts';
import { Bench, only } from '../support/bench.js';
import { digestOf, keyOf } from '../support/fixtures.js';

describe('R4: a quorum of COMMITs of any round decides', () => {
  it('R4: with a certificate of exactly a quorum, in the order of the set', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    bench.propose(0, 0, block);
    bench.check();
    for (const from of [3, 2]) bench.vote(from, 'commit', 0, block);
    const [decide] = only(bench.vote(0, 'commit', 0, block), 'decide');
    expect(decide?.certificate.seals.map(({ validator }) => validator)).to.deep.equal([0, 2, 3]);
    expect(decide?.certificate.round).to.equal(0);
    expect(decide?.stored).to.equal(true);
  });

  it('R4: one COMMIT too few decides nothing', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    bench.propose(0, 0, block);
    bench.check();
    for (const from of [0, 2]) expect(only(bench.vote(from, 'commit', 0, block), 'decide')).to.have.length(0);
  });

  it('R4: COMMITs of different rounds do not count together', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    bench.propose(0, 0, block);
    bench.check();
    bench.vote(0, 'commit', 0, block);
    bench.vote(2, 'commit', 1, block);
    expect(only(bench.vote(3, 'commit', 2, block), 'decide')).to.have.length(0);
  });

  it('R4: a quorum of a round left behind decides too', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    bench.propose(0, 0, block);
    bench.check();
    bench.work();
    bench.timeout();
    expect(bench.state.at.round).to.equal(1);
    for (const from of [0, 2]) bench.vote(from, 'commit', 0, block);
    expect(only(bench.vote(3, 'commit', 0, block), 'decide')).to.have.length(1);
  });

  it('R4: a block that is not here is asked for at one of the signers, once per rebroadcast', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    for (const from of [0, 2, 3]) bench.vote(from, 'commit', 0, block);
    const wants = only(bench.effects, 'send').filter(({ content }) => content.kind === 'want');
    expect(wants.map(({ to }) => to.length)).to.deep.equal([1]);
    const again = only(bench.input({ type: 'timeout', timer: 'rebroadcast', height: 1, round: 0 }), 'send');
    expect(again.filter(({ content }) => content.kind === 'want')).to.have.length(1);
    expect(only(bench.receive(2, { kind: 'body', height: 1, block }), 'check')).to.have.length(1);
    expect(only(bench.check(), 'decide')).to.have.length(1);
  });

  it('R4: a body nobody asked for is not even checked', () => {
    const bench = new Bench(1, 4);
    expect(only(bench.receive(2, { kind: 'body', height: 1, block: bench.block(0) }), 'check')).to.have.length(0);
  });

  it('R4: WANT is answered with the block, or with DECIDED when it is committed', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    bench.propose(0, 0, block);
    bench.check();
    const digest = digestOf(block);
    const [answer] = only(bench.receive(3, { kind: 'want', height: 1, digest }), 'send');
    expect(answer?.content.kind).to.equal('body');
    bench.commit(block);
    expect(only(bench.receive(3, { kind: 'want', height: 1, digest }), 'send-decided')).to.have.length(1);
  });

  it('R4: decides once, then neither votes nor times out until the tip has moved', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    bench.propose(0, 0, block);
    bench.check();
    for (const from of [0, 2, 3]) bench.vote(from, 'commit', 0, block);
    for (const from of [0, 2, 3]) bench.vote(from, 'prepare', 0, block);
    bench.timeout();
    expect(bench.said).to.deep.equal(['prepare/0']);
    expect(only(bench.effects, 'decide')).to.have.length(1);
  });

  it('R4: DECIDED with a verified certificate decides for everybody, also those who do not vote', () => {
    for (const self of [1, 9]) {
      const bench = new Bench(self, 4);
      const block = bench.block(0);
      const certificate = { height: 1, round: 3, digest: digestOf(block), seals: [] };
      const [decide] = only(bench.receive(2, { kind: 'decided', block, certificate }), 'decide');
      expect(decide?.stored).to.equal(false);
    }
  });

  it('R4: a body that cannot be committed makes room for another DECIDED', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    const decided = {
      kind: 'decided',
      block,
      certificate: { height: 1, round: 0, digest: digestOf(block), seals: [] },
    } as const;
    bench.receive(2, decided);
    expect(only(bench.receive(3, decided), 'decide')).to.have.length(0);
    bench.input({ type: 'decide-failed', height: 1 });
    expect(only(bench.receive(3, decided), 'decide')).to.have.length(1);
  });

  it('R4: two certified blocks of one height are a violation of safety', () => {
    const bench = new Bench(1, 4);
    const [one, two] = [bench.block(0), bench.block(0, 9)];
    bench.receive(2, {
      kind: 'decided',
      block: one,
      certificate: { height: 1, round: 0, digest: digestOf(one), seals: [] },
    });
    const effects = bench.receive(3, {
      kind: 'decided',
      block: two,
      certificate: { height: 1, round: 1, digest: digestOf(two), seals: [] },
    });
    expect(only(effects, 'violation')).to.have.length(1);
  });

  it('ENTER: forgets the height below, and counts what was held of the next one', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    const ahead = new Bench(1, 4);
    ahead.commit(block);
    const next = ahead.block(0);
    const digest = digestOf(next);
    const vote = {
      type: 'proposal',
      height: 2,
      round: 0,
      digest,
      signer: keyOf(0),
      signature: new Uint8Array(64),
    } as const;
    bench.receive(0, { kind: 'proposal', vote, block: next, roundChanges: [], prepares: [] });
    expect(only(bench.effects, 'check')).to.have.length(0);
    const effects = bench.commit(block);
    expect(only(effects, 'check').map(({ digest: checked }) => toHex(checked))).to.deep.equal([toHex(digest)]);
    expect(bench.state.at.commits.size).to.equal(0);
  });
});
