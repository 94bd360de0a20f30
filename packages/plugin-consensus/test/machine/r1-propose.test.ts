import { expect } from 'chai';
import { toHex } from '@it-chain/contracts';
import { Bench, only } from '../support/bench.js';
import { blockOn, digestOf, genesisTip } from '../support/fixtures.js';

describe('R1: the leader of round 0 proposes a block of its own', () => {
  it('R1: asks for a block as soon as there is work, once', () => {
    const bench = new Bench(0, 4);
    expect(only(bench.work(), 'build')).to.have.length(1);
    expect(only(bench.work(), 'build')).to.have.length(0);
  });

  it('R1: without work asks for nothing and arms no timer', () => {
    const bench = new Bench(0, 4);
    expect(only(bench.effects, 'build')).to.have.length(0);
    expect(only(bench.effects, 'set-timer').map(({ timer }) => timer)).to.deep.equal(['status']);
  });

  it('R1: a follower asks for nothing and waits for the leader', () => {
    const bench = new Bench(1, 4);
    const effects = bench.work();
    expect(only(effects, 'build')).to.have.length(0);
    expect(only(effects, 'set-timer').map(({ timer, ms }) => [timer, ms])).to.deep.equal([['round', 1_000]]);
  });

  it('R1: the proposal of round 0 has no justification and is handled by R2 like any other', () => {
    const bench = new Bench(0, 4);
    bench.work();
    bench.built(0, bench.block(0));
    expect(bench.said).to.deep.equal(['proposal/0', 'prepare/0']);
    const message = bench.signed[0]?.message;
    expect(message?.kind === 'proposal' && message.roundChanges.length + message.prepares.length).to.equal(0);
  });

  it('R1: proposes once, whatever is built later', () => {
    const bench = new Bench(0, 4);
    bench.work();
    bench.built(0, bench.block(0));
    bench.built(0, bench.block(0, 5));
    bench.work();
    expect(bench.said.filter((said) => said === 'proposal/0')).to.have.length(1);
  });

  it('R1: a block that comes after the round was left is not proposed', () => {
    const bench = new Bench(0, 4);
    bench.work();
    bench.timeout();
    bench.built(0, bench.block(0));
    expect(bench.said).to.deep.equal(['round-change/1']);
  });

  it('R1: a build that failed is asked for again with the next STATUS tick', () => {
    const bench = new Bench(0, 4);
    bench.work();
    bench.input({ type: 'built', height: 1, round: 0 });
    const effects = bench.input({ type: 'timeout', timer: 'status', height: 1, round: 0 });
    expect(only(effects, 'build')).to.have.length(1);
  });

  it('R1: a build that takes long is waited for: asking again would make it take longer', () => {
    const bench = new Bench(0, 4);
    bench.work();
    for (let tick = 0; tick < 20; tick += 1) {
      const effects = bench.input({ type: 'timeout', timer: 'status', height: 1, round: 0 });
      expect(only(effects, 'build')).to.have.length(0);
    }
    bench.built(0, bench.block(0));
    expect(bench.said).to.include('proposal/0');
  });

  it('R1: an uncertified root, and a change of members on its way, are work', () => {
    const tip = genesisTip(4);
    expect(only(new Bench(0, 4, {}, { tip: { ...tip, rootCertified: false } }).effects, 'build')).to.have.length(1);
    const changed = { ...tip, nextValidators: { validators: tip.validators.validators.slice(0, 3) } };
    expect(only(new Bench(0, 4, {}, { tip: changed }).effects, 'build')).to.have.length(1);
  });

  it('R1: the leader stays after a decision (sticky), and goes on at once while there is work', () => {
    const bench = new Bench(0, 4);
    bench.work();
    bench.built(0, bench.block(0));
    const effects = bench.commit(bench.block(0));
    expect(only(effects, 'build').map(({ height }) => height)).to.deep.equal([2]);
  });

  it('R1: with a leader term of 1 the lead moves on with every block', () => {
    const bench = new Bench(1, 4, { leaderTerm: 1 });
    expect(only(bench.work(), 'build')).to.have.length(1);
  });

  it('R1: a lone validator proposes, prepares, commits and decides in one go', () => {
    const bench = new Bench(0, 1);
    bench.work();
    const block = bench.block(0);
    const [decide] = only(bench.built(0, block), 'decide');
    expect(bench.said).to.deep.equal(['proposal/0', 'prepare/0', 'commit/0']);
    expect(decide?.certificate.seals).to.have.length(1);
    expect(toHex(decide?.digest ?? new Uint8Array(0))).to.equal(toHex(digestOf(block)));
  });

  it('R1: a proposal the guard refuses makes the leader move on at once', () => {
    const bench = new Bench(0, 1);
    bench.holdSigning = true;
    bench.work();
    bench.built(0, bench.block(0));
    bench.holdSigning = false;
    const effects = bench.input({ type: 'refused', kind: 'proposal', height: 1, round: 0 });
    expect(only(effects, 'build').map(({ round }) => round)).to.deep.equal([1]);
    expect(only(bench.built(1, blockOn(genesisTip(1), 0, 3)), 'decide')).to.have.length(1);
  });
});
