import { expect } from 'chai';
import { toHex } from '@it-chain/contracts';
import { Bench, only } from '../support/bench.js';
import { digestOf, keyOf, voteOf } from '../support/fixtures.js';

describe('R2: a justified, valid proposal is accepted and prepared', () => {
  it('R2: has the block checked as fresh, then sends PREPARE', () => {
    const bench = new Bench(1, 4);
    const checks = only(bench.propose(0, 0, bench.block(0)), 'check');
    expect(checks.map(({ fresh }) => fresh)).to.deep.equal([true]);
    expect(bench.said).to.deep.equal([]);
    bench.check();
    expect(bench.said).to.deep.equal(['prepare/0']);
  });

  it('R2: what the chain finds invalid is not prepared', () => {
    const bench = new Bench(1, 4);
    bench.propose(0, 0, bench.block(0));
    bench.check('invalid');
    expect(bench.said).to.deep.equal([]);
  });

  it('R2: a wrong body is not remembered by its digest: the right one is checked when it comes', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    bench.propose(0, 0, block);
    bench.check('invalid');
    expect(only(bench.propose(0, 0, block), 'check')).to.have.length(1);
    bench.check('valid');
    expect(bench.said).to.deep.equal(['prepare/0']);
  });

  it('R2: a leader has three tries in a round, not unlimited ones', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    for (let turn = 0; turn < 5; turn += 1) {
      bench.propose(0, 0, block);
      bench.check('invalid');
    }
    expect(only(bench.effects, 'check')).to.have.length(3);
  });

  it('R2: a block that is said again while it is being checked is checked once', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    for (let turn = 0; turn < 20; turn += 1) bench.propose(0, 0, block);
    expect(only(bench.effects, 'check')).to.have.length(1);
  });

  it('R2: a check that could not be made is made when the proposal comes again', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    bench.propose(0, 0, block);
    bench.check('unknown');
    bench.propose(0, 0, block);
    bench.check();
    expect(bench.said).to.deep.equal(['prepare/0']);
  });

  it('R2: not from anybody but the leader of the round', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(2);
    expect(only(bench.propose(2, 0, block), 'check')).to.have.length(0);
  });

  it('R2: not when relayed: what comes with a vote is not signed', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    const vote = voteOf(0, 'proposal', 1, 0, digestOf(block));
    expect(
      only(bench.receive(2, { kind: 'proposal', vote, block, roundChanges: [], prepares: [] }), 'check'),
    ).to.have.length(0);
  });

  it('R2: a proposal of the present round does not start its timer again', () => {
    const bench = new Bench(1, 4);
    bench.work();
    const effects = [...bench.propose(0, 0, bench.block(0)), ...bench.check()];
    expect(bench.said).to.deep.equal(['prepare/0']);
    expect(only(effects, 'set-timer').map(({ timer }) => timer)).not.to.include('round');
  });

  it('R2: a second proposal of one round is evidence, not a vote', () => {
    const bench = new Bench(1, 4);
    bench.propose(0, 0, bench.block(0));
    const effects = bench.propose(0, 0, bench.block(0, 9));
    expect(only(effects, 'check')).to.have.length(0);
    expect(only(effects, 'evidence').map(({ first }) => first.type)).to.deep.equal(['proposal']);
    bench.check();
    expect(bench.lastDigest('prepare')).to.equal(toHex(digestOf(bench.block(0))));
  });

  it('R2: evidence is given once', () => {
    const bench = new Bench(1, 4);
    for (const salt of [0, 9, 10]) bench.propose(0, 0, bench.block(0, salt));
    expect(only(bench.effects, 'evidence')).to.have.length(1);
  });

  it('R2: a proposal of a higher round takes the node there, with a new timer', () => {
    const bench = new Bench(2, 4);
    bench.work();
    bench.propose(1, 1, bench.block(1), { roundChanges: bench.claims(1, [0, 1, 3]) });
    const effects = bench.check();
    expect(bench.state.at.round).to.equal(1);
    expect(bench.said).to.deep.equal(['prepare/1']);
    expect(only(effects, 'clear-timer').map(({ timer }) => timer)).to.include('round');
  });

  it('R2: a proposal of the present round does not start the timer again', () => {
    const bench = new Bench(1, 4);
    bench.work();
    bench.propose(0, 0, bench.block(0));
    expect(only(bench.check(), 'set-timer').filter(({ timer }) => timer === 'round')).to.have.length(0);
  });

  it('R2: a proposal of a round left behind is not accepted', () => {
    const bench = new Bench(1, 4);
    bench.propose(0, 0, bench.block(0));
    bench.work();
    bench.timeout();
    bench.check();
    expect(bench.said).to.deep.equal(['round-change/1']);
  });

  it('R2: the window is ten rounds: beyond it nothing is kept', () => {
    const bench = new Bench(3, 4);
    const far = bench.propose(3, 11, bench.block(3), { roundChanges: bench.claims(11, [0, 1, 2]) });
    expect(only(far, 'check')).to.have.length(0);
    expect(bench.state.at.proposals.size).to.equal(0);
  });

  it('R2: a block behind a prepared certificate is checked without regard to the clock', () => {
    const bench = new Bench(2, 4);
    const block = bench.block(0);
    const claim = { round: 0, digest: digestOf(block) };
    const roundChanges = bench.claims(1, [0, 1, 3], claim);
    const effects = bench.propose(1, 1, block, { roundChanges, prepares: bench.prepares(0, block, [0, 1, 3]) });
    expect(only(effects, 'check').map(({ fresh }) => fresh)).to.deep.equal([false]);
  });

  it('R2: needs no lock: a justified other block is prepared although this node had prepared one', () => {
    const bench = new Bench(3, 4);
    const locked = bench.block(0);
    bench.propose(0, 0, locked);
    bench.check();
    for (const from of [0, 1]) bench.vote(from, 'prepare', 0, locked);
    expect(bench.said).to.deep.equal(['prepare/0', 'commit/0']);
    const other = bench.block(1);
    bench.propose(1, 1, other, { roundChanges: bench.claims(1, [0, 1, 2]) });
    bench.check();
    expect(bench.said.at(-1)).to.equal('prepare/1');
    expect(bench.lastDigest('prepare')).to.equal(toHex(digestOf(other)));
  });

  it('R2: a node that is no validator prepares nothing', () => {
    const bench = new Bench(7, 4);
    bench.propose(0, 0, bench.block(0));
    bench.check();
    expect(bench.said).to.deep.equal([]);
    expect(toHex(keyOf(7))).to.equal(bench.state.selfKey);
  });
});
