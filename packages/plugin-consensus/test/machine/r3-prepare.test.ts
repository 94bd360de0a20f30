import { expect } from 'chai';
import { toHex } from '@it-chain/contracts';
import { Bench, only } from '../support/bench.js';
import { digestOf, voteOf } from '../support/fixtures.js';

function prepared(): Bench {
  const bench = new Bench(1, 4);
  bench.propose(0, 0, bench.block(0));
  bench.check();
  return bench;
}

describe('R3: a quorum of PREPAREs for the accepted block is committed to', () => {
  it('R3: its own PREPARE and two more', () => {
    const bench = prepared();
    bench.vote(0, 'prepare', 0, bench.block(0));
    expect(bench.said).to.deep.equal(['prepare/0']);
    bench.vote(2, 'prepare', 0, bench.block(0));
    expect(bench.said).to.deep.equal(['prepare/0', 'commit/0']);
  });

  it('R3: the record of a COMMIT holds the block and its quorum of PREPAREs', () => {
    const bench = prepared();
    for (const from of [0, 2, 3]) bench.vote(from, 'prepare', 0, bench.block(0));
    const record = bench.signed.find(({ message }) => message.kind === 'commit');
    expect(record?.prepares).to.have.length(3);
    expect(toHex(digestOf(record?.block ?? bench.block(3)))).to.equal(toHex(digestOf(bench.block(0))));
  });

  it('R3: an own vote counts only once it is on disk', () => {
    const bench = new Bench(1, 4);
    bench.holdSigning = true;
    bench.propose(0, 0, bench.block(0));
    bench.check();
    for (const from of [0, 2]) bench.vote(from, 'prepare', 0, bench.block(0));
    expect(bench.said).to.deep.equal(['prepare/0']);
    const [record] = bench.signed;
    if (record === undefined) throw new Error('nothing was signed');
    bench.input({ type: 'signed', record });
    expect(bench.said).to.deep.equal(['prepare/0', 'commit/0']);
  });

  it('R3: votes that come before the proposal wait in their pool', () => {
    const bench = new Bench(1, 4);
    for (const from of [0, 2]) bench.vote(from, 'prepare', 0, bench.block(0));
    bench.propose(0, 0, bench.block(0));
    bench.check();
    expect(bench.said).to.deep.equal(['prepare/0', 'commit/0']);
  });

  it('R3: votes for another digest do not count together', () => {
    const bench = prepared();
    bench.vote(2, 'prepare', 0, bench.block(0, 9));
    bench.vote(3, 'prepare', 0, bench.block(0, 9));
    expect(bench.said).to.deep.equal(['prepare/0']);
  });

  it('R3: one sender counts once, however often it says so', () => {
    const bench = prepared();
    for (let turn = 0; turn < 5; turn += 1) bench.vote(2, 'prepare', 0, bench.block(0));
    expect(bench.said).to.deep.equal(['prepare/0']);
  });

  it('R3: a liar in every round is told once: evidence is bounded by validators, not by rounds', () => {
    const bench = new Bench(0, 4);
    for (let round = 0; round <= 10; round += 1) {
      bench.vote(2, 'prepare', round, bench.block(0));
      bench.vote(2, 'prepare', round, bench.block(0, 9));
      bench.vote(2, 'commit', round, bench.block(0));
      bench.vote(2, 'commit', round, bench.block(0, 9));
    }
    expect(only(bench.effects, 'evidence').map(({ first }) => first.type)).to.deep.equal(['prepare', 'commit']);
    expect(bench.state.at.accused.size).to.equal(2);
  });

  it('R3: a second vote with another digest is evidence and not counted', () => {
    const bench = prepared();
    bench.vote(2, 'prepare', 0, bench.block(0, 9));
    expect(only(bench.vote(2, 'prepare', 0, bench.block(0)), 'evidence')).to.have.length(1);
    bench.vote(0, 'prepare', 0, bench.block(0));
    expect(bench.said).to.deep.equal(['prepare/0']);
  });

  it('R3: strangers, other heights and relayed votes do not count', () => {
    const bench = prepared();
    const digest = digestOf(bench.block(0));
    bench.vote(8, 'prepare', 0, bench.block(0));
    bench.vote(9, 'prepare', 0, bench.block(0));
    for (const from of [2, 3]) bench.receive(from, { kind: 'prepare', vote: voteOf(from, 'prepare', 2, 0, digest) });
    for (const from of [2, 3]) bench.receive(0, { kind: 'prepare', vote: voteOf(from, 'prepare', 1, 0, digest) });
    expect(bench.said).to.deep.equal(['prepare/0']);
  });

  it('R3: only in the present round', () => {
    const bench = prepared();
    bench.work();
    bench.timeout();
    for (const from of [0, 2, 3]) bench.vote(from, 'prepare', 0, bench.block(0));
    expect(bench.said).to.deep.equal(['prepare/0', 'round-change/1']);
  });

  it('R3: commits once', () => {
    const bench = prepared();
    for (const from of [0, 2, 3]) bench.vote(from, 'prepare', 0, bench.block(0));
    expect(bench.said.filter((said) => said === 'commit/0')).to.have.length(1);
  });
});
