import { expect } from 'chai';
import { Bench, only } from '../support/bench.js';
import { digestOf } from '../support/fixtures.js';

const roundTimers = (bench: Bench): number[] =>
  only(bench.effects, 'set-timer')
    .filter(({ timer }) => timer === 'round')
    .map(({ ms }) => ms);

describe('R5: a round that takes too long is left', () => {
  it('R5: MOVE(r+1) says ROUND_CHANGE with nothing prepared', () => {
    const bench = new Bench(1, 4);
    bench.work();
    bench.timeout();
    expect(bench.said).to.deep.equal(['round-change/1']);
    const message = bench.signed[0]?.message;
    expect(message?.kind === 'round-change' && message.prepared).to.equal(undefined);
  });

  it('R5: what is prepared goes with the ROUND_CHANGE, block and proof', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    bench.work();
    bench.propose(0, 0, block);
    bench.check();
    for (const from of [0, 2]) bench.vote(from, 'prepare', 0, block);
    bench.timeout();
    const message = bench.signed.at(-1)?.message;
    if (message?.kind !== 'round-change') throw new Error('no round change');
    expect(message.prepared).to.deep.equal({ round: 0, digest: digestOf(block) });
    expect(message.prepares).to.have.length(3);
    expect(message.block).to.deep.equal(block);
  });

  it('R5: a timeout of another round or height means nothing', () => {
    const bench = new Bench(1, 4);
    bench.work();
    bench.timeout(3);
    bench.input({ type: 'timeout', timer: 'round', height: 9, round: 0 });
    expect(bench.said).to.deep.equal([]);
  });

  it('R5: a node that does not vote has no round timer', () => {
    const bench = new Bench(8, 4);
    bench.work();
    bench.timeout();
    expect(roundTimers(bench)).to.deep.equal([]);
    expect(bench.said).to.deep.equal([]);
  });

  it('TIMER: min(T0 * 2^r, Tmax)', () => {
    const bench = new Bench(0, 1);
    bench.work();
    for (let round = 0; round < 6; round += 1) bench.timeout(round);
    expect(roundTimers(bench)).to.deep.equal([1_000, 2_000, 4_000, 8_000, 8_000, 8_000, 8_000]);
  });

  it('TIMER: round 0 is timed while there is work, and no longer', () => {
    const bench = new Bench(1, 4);
    bench.work(true);
    expect(only(bench.work(false), 'clear-timer').map(({ timer }) => timer)).to.deep.equal(['round']);
  });

  it('TIMER: any valid message of the height is work', () => {
    const bench = new Bench(1, 4);
    bench.vote(2, 'prepare', 0, bench.block(0));
    expect(roundTimers(bench)).to.deep.equal([1_000]);
  });

  it('TIMER: a higher round is timed from when a quorum is in it or further', () => {
    const bench = new Bench(1, 4);
    bench.work();
    bench.timeout();
    expect(roundTimers(bench)).to.deep.equal([1_000]);
    bench.roundChange(2, 1);
    expect(roundTimers(bench)).to.deep.equal([1_000]);
    bench.roundChange(3, 1);
    expect(roundTimers(bench)).to.deep.equal([1_000, 2_000]);
  });

  it('TIMER: without a quorum rounds do not grow, however long it lasts', () => {
    const bench = new Bench(1, 4);
    bench.work();
    for (let turn = 0; turn < 100; turn += 1) {
      const timers = only(bench.effects, 'set-timer').filter(({ timer }) => timer === 'round');
      const last = timers.at(-1);
      bench.effects = [];
      if (last !== undefined) bench.timeout(last.round);
    }
    expect(bench.state.at.round).to.equal(1);
  });

  it('TIMER: a PREPARE of a round shows that its sender is there', () => {
    const bench = new Bench(1, 4);
    bench.work();
    bench.timeout();
    bench.vote(2, 'prepare', 1, bench.block(1));
    bench.roundChange(3, 1);
    expect(roundTimers(bench)).to.deep.equal([1_000, 2_000]);
  });
});

describe('R6: f+1 validators that got further carry the others along', () => {
  it('R6: not one alone where one may lie', () => {
    const bench = new Bench(1, 4);
    bench.roundChange(2, 7);
    expect(bench.state.at.round).to.equal(0);
  });

  it('R6: the (f+1)-th highest round is followed', () => {
    const bench = new Bench(1, 4);
    bench.roundChange(2, 7);
    bench.roundChange(3, 5);
    expect(bench.state.at.round).to.equal(5);
    expect(bench.said).to.deep.equal(['round-change/5']);
  });

  it('R6: without room for a liar the first one is followed', () => {
    const bench = new Bench(1, 3);
    bench.roundChange(2, 4);
    expect(bench.state.at.round).to.equal(4);
  });

  it("R6: rounds above the window count by each sender's highest", () => {
    const bench = new Bench(1, 4);
    bench.roundChange(2, 500);
    bench.roundChange(3, 400);
    expect(bench.state.at.round).to.equal(400);
    expect(bench.state.at.roundChanges.size).to.be.at.most(12);
  });

  it('R6: an unbacked claim is not counted', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    bench.roundChange(2, 5);
    bench.roundChange(3, 5, { round: 2, digest: digestOf(block) }, block, bench.prepares(2, block, [0, 2]));
    expect(bench.state.at.round).to.equal(0);
  });

  it('R6: a round never goes back', () => {
    const bench = new Bench(1, 4);
    for (const from of [2, 3]) bench.roundChange(from, 6);
    for (const from of [0, 2]) bench.roundChange(from, 2);
    expect(bench.state.at.round).to.equal(6);
  });

  it('R6: a second ROUND_CHANGE of one round with another claim is evidence', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    bench.roundChange(2, 1);
    const claim = { round: 0, digest: digestOf(block) };
    expect(only(bench.roundChange(2, 1, claim, block, bench.prepares(0, block, [0, 2, 3])), 'evidence')).to.have.length(
      1,
    );
  });

  it('COMPLAINT: leaves room: a complaint moves to the next round of this height', () => {
    const bench = new Bench(1, 4);
    bench.input({ type: 'complain', height: 1 });
    expect(bench.said).to.deep.equal(['round-change/1']);
  });
});
