import { expect } from 'chai';
import { createState, explain, step } from '@it-chain/plugin-consensus';
import { Bench, only } from '../support/bench.js';
import {
  blockOn,
  digestOf,
  genesisTip,
  keyOf,
  optionsOf,
  roundChangeVote,
  signRecord,
  tipAfter,
  voteOf,
} from '../support/fixtures.js';

const statusOf = (
  height: number,
  digest: Uint8Array,
): { kind: 'status'; height: number; digest: Uint8Array; round: number } => ({
  kind: 'status',
  height,
  digest,
  round: 0,
});
const far = new Uint8Array(32).fill(7);

/** A chain of `count` empty blocks. */
function chainTip(n: number, count: number): ReturnType<typeof genesisTip> {
  let tip = genesisTip(n);
  for (let height = 0; height < count; height += 1) tip = tipAfter(tip, blockOn(tip, 0));
  return tip;
}

describe('STATUS and DECIDED', () => {
  it('STATUS goes to every peer each second, and to a new one at once', () => {
    const bench = new Bench(1, 4);
    const first = only(bench.input({ type: 'connected', peer: keyOf(2) }), 'send');
    expect(first.map(({ content }) => content.kind)).to.deep.equal(['status']);
    bench.input({ type: 'connected', peer: keyOf(9) });
    const tick = bench.input({ type: 'timeout', timer: 'status', height: 1, round: 0 });
    expect(only(tick, 'send')).to.have.length(2);
    expect(only(tick, 'set-timer').map(({ timer, ms }) => [timer, ms])).to.deep.equal([['status', 1_000]]);
  });

  it('STATUS carries the last vote seen of its receiver', () => {
    const bench = new Bench(1, 4);
    bench.input({ type: 'connected', peer: keyOf(2) });
    bench.vote(2, 'prepare', 0, bench.block(0));
    const tick = only(bench.input({ type: 'timeout', timer: 'status', height: 1, round: 0 }), 'send');
    const content = tick[0]?.content;
    expect(content?.kind === 'status' && content.seen?.type).to.equal('prepare');
  });

  it('a peer that stands still below the tip gets up to five DECIDED, from two validators at a time', () => {
    const tip = chainTip(4, 9);
    for (let attempt = 1; attempt <= 4; attempt += 1) {
      const helpers = [0, 1, 2, 3].filter((self) => {
        const bench = new Bench(self, 4, {}, { tip });
        return only(bench.receive(8, statusOf(2, far), attempt), 'send-decided').length > 0;
      });
      expect(helpers).to.have.length(2);
    }
    const effects = [0, 1, 2, 3].flatMap((self) =>
      only(new Bench(self, 4, {}, { tip }).receive(8, statusOf(2, far), 1), 'send-decided'),
    );
    expect(effects.map(({ from, count }) => [from, count])).to.deep.equal([
      [3, 5],
      [3, 5],
    ]);
  });

  it('a first STATUS is not yet a sign of standing still', () => {
    const tip = chainTip(4, 3);
    for (const self of [0, 1, 2, 3]) {
      expect(only(new Bench(self, 4, {}, { tip }).receive(8, statusOf(2, far), 0), 'send-decided')).to.have.length(0);
    }
  });

  it('a vote of an old height that is sent again is answered with DECIDED', () => {
    const tip = chainTip(1, 3);
    const bench = new Bench(0, 1, {}, { tip });
    const vote = voteOf(0, 'prepare', 2, 0, far);
    expect(only(bench.receive(0, { kind: 'prepare', vote }, 3), 'send-decided').map(({ from }) => from)).to.deep.equal([
      2,
    ]);
  });

  it('whoever is still two blocks behind after a commit says so at once, to those who are ahead', () => {
    const bench = new Bench(1, 4);
    for (const index of [2, 3]) bench.input({ type: 'connected', peer: keyOf(index) });
    bench.receive(2, statusOf(5, far));
    bench.receive(3, statusOf(2, far));
    const said = only(bench.commit(bench.block(0)), 'send').filter(({ content }) => content.kind === 'status');
    expect(said.map(({ to }) => to)).to.deep.equal([[keyOf(2)]]);
    // As one that has not got on: the first is not answered.
    expect(said[0]?.attempt).to.be.greaterThan(0);
  });

  it('a node far behind syncs at once, a node a little behind after two ticks in vain', () => {
    const bench = new Bench(1, 4);
    bench.input({ type: 'connected', peer: keyOf(2) });
    expect(only(bench.receive(2, statusOf(6, far), 1), 'sync').map(({ height }) => height)).to.deep.equal([6]);
    const patient = new Bench(1, 4);
    patient.input({ type: 'connected', peer: keyOf(2) });
    expect(only(patient.receive(2, statusOf(3, far), 1), 'sync')).to.have.length(0);
    const asked = [1, 2, 3].map(
      () => only(patient.input({ type: 'timeout', timer: 'status', height: 1, round: 0 }), 'sync').length,
    );
    expect(asked).to.deep.equal([0, 0, 1]);
  });

  it('another digest at the height of the tip is looked into, once per peer', () => {
    const tip = chainTip(4, 2);
    const bench = new Bench(1, 4, {}, { tip });
    expect(only(bench.receive(2, statusOf(2, far)), 'audit')).to.have.length(1);
    expect(only(bench.receive(2, statusOf(2, far)), 'audit')).to.have.length(0);
    expect(only(bench.receive(3, statusOf(2, tip.digest)), 'audit')).to.have.length(0);
  });

  it('one validator, another one for each height, brings new blocks to those who do not vote', () => {
    const helpers: number[] = [];
    for (let self = 0; self < 4; self += 1) {
      const bench = new Bench(self, 4);
      bench.input({ type: 'connected', peer: keyOf(8) });
      bench.receive(8, statusOf(0, bench.tip.digest));
      for (let height = 1; height <= 4; height += 1) {
        if (only(bench.commit(bench.block(0)), 'send-decided').length > 0) helpers.push(self * 10 + height);
      }
    }
    expect(helpers).to.deep.equal([4, 11, 22, 33]);
  });

  it('brings none to whoever is there already: a node that catches up itself has nothing new to tell', () => {
    const bench = new Bench(1, 4);
    bench.input({ type: 'connected', peer: keyOf(8) });
    bench.receive(8, statusOf(1, far));
    expect(only(bench.commit(bench.block(0)), 'send-decided')).to.have.length(0);
  });
});

describe('REBROADCAST', () => {
  it('sends own messages again while undecided, proposals only to those who have not answered', () => {
    const bench = new Bench(0, 4);
    bench.work();
    bench.built(0, bench.block(0));
    bench.vote(2, 'prepare', 0, bench.block(0));
    const sent = only(bench.input({ type: 'timeout', timer: 'rebroadcast', height: 1, round: 0 }), 'send');
    expect(sent.map(({ content, to, attempt }) => [content.kind, to.length, attempt])).to.deep.equal([
      ['proposal', 2, 1],
      ['prepare', 3, 1],
    ]);
  });

  it('sends what carries a block more and more rarely, votes every time: work that is too much must not grow', () => {
    const bench = new Bench(0, 4);
    bench.work();
    bench.built(0, bench.block(0));
    const proposals: number[] = [];
    const prepares: number[] = [];
    for (let tick = 1; tick <= 50; tick += 1) {
      const sent = only(bench.input({ type: 'timeout', timer: 'rebroadcast', height: 1, round: 0 }), 'send');
      if (sent.some(({ content }) => content.kind === 'proposal')) proposals.push(tick);
      if (sent.some(({ content }) => content.kind === 'prepare')) prepares.push(tick);
    }
    expect(proposals).to.deep.equal([1, 2, 4, 8, 16, 32, 48]);
    expect(prepares).to.have.length(50);
  });

  it('sends a validator that connects the block at once, unless it has answered', () => {
    const bench = new Bench(0, 4);
    bench.work();
    bench.built(0, bench.block(0));
    bench.vote(2, 'prepare', 0, bench.block(0));
    const proposalsTo = (index: number): number =>
      only(bench.input({ type: 'connected', peer: keyOf(index) }), 'send').filter(
        ({ content }) => content.kind === 'proposal',
      ).length;
    expect([1, 2, 3, 9].map(proposalsTo)).to.deep.equal([1, 0, 1, 0]);
  });

  it('stops with the decision', () => {
    const bench = new Bench(0, 1);
    bench.work();
    const effects = bench.built(0, bench.block(0));
    expect(only(effects, 'clear-timer').map(({ timer }) => timer)).to.include('rebroadcast');
    expect(bench.input({ type: 'timeout', timer: 'rebroadcast', height: 1, round: 0 })).to.deep.equal([]);
  });
});

describe('HOLD', () => {
  it('keeps messages of the next height only, a few per sender', () => {
    const bench = new Bench(1, 4);
    for (let round = 0; round < 50; round += 1) {
      for (const height of [2, 3])
        bench.receive(2, { kind: 'prepare', vote: voteOf(2, 'prepare', height, round, far) });
    }
    expect(bench.state.held).to.have.length(4);
    expect(bench.state.held.every(({ content }) => 'vote' in content && content.vote.height === 2)).to.equal(true);
  });

  it('keeps few messages with blocks, and none of strangers', () => {
    const bench = new Bench(1, 7);
    for (let from = 0; from < 20; from += 1) {
      const vote = voteOf(from, 'proposal', 2, 0, far);
      bench.receive(from, { kind: 'proposal', vote, block: bench.block(0), roundChanges: [], prepares: [] });
    }
    expect(bench.state.held).to.have.length(4);
  });
});

describe('restart', () => {
  it('sends the stored messages again, signs nothing twice, and goes on in the highest round', () => {
    const bench = new Bench(1, 4);
    bench.work();
    const block = bench.block(0);
    bench.propose(0, 0, block);
    bench.check();
    for (const from of [0, 2]) bench.vote(from, 'prepare', 0, block);
    bench.timeout();
    expect(bench.said).to.deep.equal(['prepare/0', 'commit/0', 'round-change/1']);
    const again = new Bench(1, 4, {}, { records: bench.signed });
    expect(again.said).to.deep.equal([]);
    expect(again.state.at.round).to.equal(1);
    expect(again.state.at.prepared?.round).to.equal(0);
    expect(only(again.effects, 'send').map(({ content }) => content.kind)).to.deep.equal([
      'round-change',
      'prepare',
      'commit',
    ]);
    again.roundChange(2, 1);
    again.roundChange(3, 1);
    expect(again.said).to.deep.equal(['proposal/1', 'prepare/1']);
  });

  it('a lone validator decides from each point of its log, and gives the chain the block again', () => {
    const bench = new Bench(0, 1);
    bench.work();
    bench.built(0, bench.block(0));
    for (let kept = 0; kept <= 3; kept += 1) {
      const again = new Bench(0, 1, {}, { records: bench.signed.slice(0, kept) });
      again.work();
      const decided = kept === 0 ? only(again.built(0, again.block(0)), 'decide') : only(again.effects, 'decide');
      expect(decided, `${kept} records`).to.have.length(1);
      expect(decided[0]?.stored).to.equal(kept === 0);
    }
  });

  it('keeps the latest own votes of the log, not those of every round', () => {
    const bench = new Bench(1, 4);
    bench.work();
    for (let round = 0; round < 20; round += 1) bench.timeout();
    const again = new Bench(1, 4, {}, { records: bench.signed });
    expect(bench.signed).to.have.length(20);
    expect([...again.state.at.own.keys()]).to.deep.equal(['round-change/20']);
  });

  it('records of heights that are committed are dead', () => {
    const bench = new Bench(0, 1);
    bench.work();
    bench.built(0, bench.block(0));
    const again = new Bench(0, 1, {}, { tip: chainTip(1, 1), records: bench.signed });
    expect(again.state.at.own.size).to.equal(0);
    expect(only(again.effects, 'send')).to.have.length(0);
  });
});

describe('silence', () => {
  const forgotten = (height: number): Parameters<Bench['receive']>[1] => ({
    ...statusOf(0, genesisTip(4).digest),
    seen: voteOf(1, 'prepare', height, 0, far),
  });

  it('a node that has forgotten its vote says nothing until the height is decided by the others', () => {
    const bench = new Bench(1, 4);
    bench.receive(2, forgotten(1));
    const block = bench.block(0);
    bench.propose(0, 0, block);
    bench.check();
    bench.work();
    bench.timeout();
    expect(bench.said).to.deep.equal([]);
    expect(explain(bench.state).waiting).to.contain('does not vote before height 2');
    bench.commit(block);
    bench.propose(0, 0, bench.block(0));
    bench.check();
    expect(bench.said).to.deep.equal(['prepare/0']);
  });

  it('a vote of a later height keeps it silent longer', () => {
    const bench = new Bench(1, 4);
    bench.receive(2, forgotten(3));
    for (let height = 1; height <= 3; height += 1) {
      bench.propose(0, 0, bench.block(0));
      bench.check();
      expect(bench.said).to.deep.equal([]);
      bench.commit(bench.block(0));
    }
    bench.propose(0, 0, bench.block(0));
    bench.check();
    expect(bench.said).to.deep.equal(['prepare/0']);
  });

  it('its own votes, remembered or earlier than those, do not silence it', () => {
    const bench = new Bench(1, 4);
    const block = bench.block(0);
    bench.propose(0, 0, block);
    bench.check();
    bench.receive(2, { ...statusOf(0, bench.tip.digest), seen: voteOf(1, 'prepare', 1, 0, digestOf(block)) });
    expect(bench.state.silentUntil).to.equal(0);
  });

  it('a vote of a round left behind does not silence it while those of later rounds wait for their signatures', () => {
    const bench = new Bench(1, 4);
    bench.work();
    bench.timeout();
    bench.holdSigning = true;
    bench.timeout();
    bench.roundChange(2, 3);
    bench.roundChange(3, 3);
    expect(bench.said).to.deep.equal(['round-change/1', 'round-change/2', 'round-change/3']);
    bench.receive(2, { ...statusOf(0, bench.tip.digest), seen: roundChangeVote(1, 1, 1) });
    expect(bench.state.silentUntil).to.equal(0);
  });

  it('the operator can take the risk', () => {
    const bench = new Bench(1, 4, { acceptDoubleSignRisk: true });
    bench.receive(2, forgotten(1));
    expect(bench.state.silentUntil).to.equal(0);
  });
});

describe('the leader that everybody names', () => {
  it('moves with the round that f+1 validators were seen in, and is told', () => {
    const bench = new Bench(1, 4);
    bench.roundChange(2, 2);
    expect(explain(bench.state).leader).to.equal(Buffer.from(keyOf(0)).toString('hex'));
    bench.roundChange(3, 2);
    const told = only(bench.effects, 'round').at(-1);
    expect([told?.round, Buffer.from(told?.leader ?? []).toString('hex')]).to.deep.equal([
      2,
      Buffer.from(keyOf(2)).toString('hex'),
    ]);
  });

  it('is the same for a node that gets no round changes: it reads STATUS', () => {
    const bench = new Bench(8, 4);
    for (const from of [0, 1]) bench.receive(from, { ...statusOf(0, bench.tip.digest), round: 3 });
    expect(only(bench.effects, 'round').at(-1)?.round).to.equal(3);
  });
});

describe('the state', () => {
  it('is plain data: a copy goes its own way', () => {
    const state = createState(optionsOf(0));
    step(state, { type: 'start', tip: genesisTip(1), records: [] });
    const copy = structuredClone(state);
    step(copy, { type: 'work', pooled: true, leaderDown: false });
    expect(state.at.building).to.equal(undefined);
    expect(copy.at.building).to.equal(0);
  });

  it('pools are bounded, whatever comes', () => {
    const bench = new Bench(1, 4);
    for (let round = 0; round < 500; round += 1) {
      for (const from of [0, 2, 3]) {
        bench.vote(from, 'prepare', round, bench.block(0, round % 3));
        bench.vote(from, 'commit', round, bench.block(0, round % 5));
      }
      bench.roundChange(2, round + 1);
    }
    const { at } = bench.state;
    expect(at.prepares.size).to.be.at.most(11);
    expect(at.commits.size).to.be.at.most(21);
    expect(at.roundChanges.size).to.be.at.most(12);
    expect(at.highest.size).to.be.at.most(4);
  });

  it('own records are signed once each', () => {
    const record = signRecord({ message: { kind: 'prepare', vote: voteOf(0, 'prepare', 1, 0, far) }, prepares: [] });
    expect(record.message.vote.signature.some((byte) => byte !== 0)).to.equal(true);
  });
});
