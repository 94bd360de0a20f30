import { expect } from 'chai';
import { toHex } from '@it-chain/contracts';
import { Bench, only } from '../support/bench.js';
import { digestOf } from '../support/fixtures.js';

describe('R7: the leader of a higher round proposes on a quorum of ROUND_CHANGEs', () => {
  it('R7: a block of its own where nobody had prepared one, work or not', () => {
    const bench = new Bench(1, 4);
    for (const from of [0, 2, 3]) bench.roundChange(from, 1);
    expect(only(bench.effects, 'build').map(({ round }) => round)).to.deep.equal([1]);
    bench.built(1, bench.block(1));
    expect(bench.said).to.include('proposal/1');
    const message = bench.signed.find(({ message: { kind } }) => kind === 'proposal')?.message;
    expect(message?.kind === 'proposal' && message.roundChanges.length).to.be.at.least(3);
  });

  it('R7: nobody else does', () => {
    const bench = new Bench(2, 4);
    for (const from of [0, 1, 3]) bench.roundChange(from, 1);
    expect(only(bench.effects, 'build')).to.have.length(0);
  });

  it('R7: one ROUND_CHANGE too few is not enough', () => {
    const bench = new Bench(1, 4);
    bench.roundChange(0, 1);
    expect(only(bench.effects, 'build')).to.have.length(0);
  });

  it('R7: round changes of other rounds do not count together', () => {
    const bench = new Bench(1, 4);
    bench.roundChange(0, 1);
    bench.roundChange(2, 2);
    expect(bench.state.at.round).to.equal(1);
    expect(only(bench.effects, 'build')).to.have.length(0);
  });

  it('R7: what was prepared is proposed again, once its block is found valid, with its proof', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    const claim = { round: 0, digest: digestOf(block) };
    bench.roundChange(0, 1, claim, block, bench.prepares(0, block, [0, 2, 3]));
    for (const from of [2, 3]) bench.roundChange(from, 1);
    bench.check();
    const message = bench.signed.find(({ message: { kind } }) => kind === 'proposal')?.message;
    if (message?.kind !== 'proposal') throw new Error('no proposal');
    expect(toHex(message.vote.digest)).to.equal(toHex(digestOf(block)));
    expect(message.prepares).to.have.length(3);
    expect(bench.said).to.include('prepare/1');
  });

  it('R7: a prepared block with a wrong body does not hold the leader up: that round change is not counted', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    const claim = { round: 0, digest: digestOf(block) };
    bench.roundChange(0, 1, claim, block, bench.prepares(0, block, [0, 2, 3]));
    bench.check('invalid');
    for (const from of [2, 3]) bench.roundChange(from, 1);
    expect(only(bench.effects, 'build')).to.have.length(1);
  });

  it('R7: the highest prepared block wins', () => {
    const bench = new Bench(3, 4);
    const [low, high] = [bench.block(0), bench.block(1, 4)];
    bench.roundChange(0, 3, { round: 0, digest: digestOf(low) }, low, bench.prepares(0, low, [0, 1, 2]));
    bench.roundChange(1, 3, { round: 1, digest: digestOf(high) }, high, bench.prepares(1, high, [0, 1, 2]));
    bench.roundChange(2, 3);
    for (const check of [...bench.state.at.checks.keys()].reverse())
      bench.input({ type: 'checked', check, verdict: 'valid' });
    const message = bench.signed.find(({ message: { kind } }) => kind === 'proposal')?.message;
    expect(toHex(message?.vote.digest ?? new Uint8Array(0))).to.equal(toHex(digestOf(high)));
  });

  it('R7: proposes once in a round', () => {
    const bench = new Bench(1, 4);
    for (const from of [0, 2, 3]) bench.roundChange(from, 1);
    bench.built(1, bench.block(1));
    bench.built(1, bench.block(1, 8));
    for (const from of [0, 2, 3]) bench.roundChange(from, 1);
    expect(bench.said.filter((said) => said === 'proposal/1')).to.have.length(1);
  });

  it('R7: its proposal convinces another node', () => {
    const leader = new Bench(1, 4);
    const block = leader.block(0);
    const claim = { round: 0, digest: digestOf(block) };
    leader.roundChange(0, 1, claim, block, leader.prepares(0, block, [0, 2, 3]));
    for (const from of [2, 3]) leader.roundChange(from, 1);
    leader.check();
    const message = leader.signed.find(({ message: { kind } }) => kind === 'proposal')?.message;
    if (message === undefined) throw new Error('no proposal');
    const other = new Bench(2, 4);
    other.receive(1, message);
    other.check();
    expect(other.said).to.deep.equal(['prepare/1']);
  });

  it('R7: a lone validator comes back from any round', () => {
    const bench = new Bench(0, 1);
    bench.work();
    for (let round = 0; round < 20; round += 1) bench.timeout(round);
    const decided = only(bench.built(20, bench.block(0)), 'decide');
    expect(decided.map(({ certificate }) => certificate.round)).to.deep.equal([20]);
  });
});
