import { expect } from 'chai';
import { step, type RaftEffect, type RaftInput, type RaftMessage, type RaftState } from '@it-chain/plugin-raft';
import { RaftSimulation, digestOf, type SimulatedNode } from './support/raft-simulation.js';

/** One machine by hand: three validators, `leader` owns round 0, `self` is the follower that is looked at. */
class Follower {
  readonly simulation = new RaftSimulation(1, 3);
  readonly leader: SimulatedNode;
  readonly rival: SimulatedNode;
  readonly state: RaftState;

  constructor() {
    this.simulation.pooled = false;
    this.simulation.start();
    const [leader, self, rival] = this.simulation.nodes as [SimulatedNode, SimulatedNode, SimulatedNode];
    if (self.state === undefined) throw new Error('it has not started');
    this.leader = leader;
    this.rival = rival;
    this.state = self.state;
  }

  input(input: RaftInput): readonly RaftEffect[] {
    return step(this.state, input);
  }
  /** What it says when `from` says something. */
  hear(from: SimulatedNode, message: RaftMessage): RaftMessage[] {
    return saidIn(this.input({ type: 'message', from: from.key, message }));
  }
  /** Accepts a new block in a round, as if it were checked and written. */
  accept(from: SimulatedNode, round: number): string {
    const block = this.simulation.newBlock(from);
    const digest = digestOf(block);
    this.hear(from, { kind: 'append', height: 1, round, digest, block });
    this.input({ type: 'checked', height: 1, round, digest, valid: true });
    return digest;
  }
  /** The records it wants on disk. */
  written(from: SimulatedNode, message: RaftMessage): string[] {
    return this.input({ type: 'message', from: from.key, message }).flatMap((effect) =>
      effect.type === 'write' ? [`${effect.record.kind} ${effect.record.round}`] : [],
    );
  }
}

const saidIn = (effects: readonly RaftEffect[]): RaftMessage[] =>
  effects.flatMap((effect) => (effect.type === 'send' ? [effect.message] : []));
const granted = (messages: readonly RaftMessage[]): boolean | undefined => {
  const [answer] = messages;
  return answer?.kind === 'pre-vote-answer' || answer?.kind === 'vote-answer' ? answer.granted : undefined;
};
const ask = (kind: 'pre-vote' | 'vote', round: number, accepted: number): RaftMessage => ({
  kind,
  height: 1,
  round,
  accepted,
});

describe('the rules of the Raft machine', () => {
  let follower: Follower;
  beforeEach(() => {
    follower = new Follower();
  });

  it('a pre-vote is granted only by a validator that misses the leader, too', () => {
    expect(granted(follower.hear(follower.rival, ask('pre-vote', 1, -1)))).to.equal(false);
    follower.input({ type: 'timeout', timer: 'election' });
    expect(granted(follower.hear(follower.rival, ask('pre-vote', 1, -1)))).to.equal(true);
    // Heard again, it is missed no longer.
    follower.accept(follower.leader, 0);
    expect(granted(follower.hear(follower.rival, ask('pre-vote', 1, 0)))).to.equal(false);
  });

  it('a pre-vote promises nothing: the leader of the lower round is still followed', () => {
    follower.input({ type: 'timeout', timer: 'election' });
    follower.hear(follower.rival, ask('pre-vote', 5, -1));
    const block = follower.simulation.newBlock(follower.leader);
    const effects = follower.input({
      type: 'message',
      from: follower.leader.key,
      message: { kind: 'append', height: 1, round: 0, digest: digestOf(block), block },
    });
    expect(effects.map(({ type }) => type)).to.include('check');
  });

  it('no candidate with an older block gets a vote or a pre-vote', () => {
    follower.accept(follower.leader, 0);
    follower.input({ type: 'work', pooled: true, leaderDown: true });
    expect(granted(follower.hear(follower.rival, ask('pre-vote', 1, -1)))).to.equal(false);
    expect(granted(follower.hear(follower.rival, ask('pre-vote', 1, 0)))).to.equal(true);
    expect(granted(follower.hear(follower.rival, ask('vote', 1, -1)))).to.equal(false);
    expect(follower.written(follower.rival, ask('vote', 1, 0))).to.deep.equal(['vote 1']);
  });

  it('one vote in a round, on disk before it is said; the same candidate may ask again', () => {
    const effects = follower.input({ type: 'message', from: follower.rival.key, message: ask('vote', 1, -1) });
    expect(saidIn(effects)).to.deep.equal([]);
    const record = { kind: 'vote' as const, height: 1, round: 1, candidate: follower.rival.key };
    const said = saidIn(follower.input({ type: 'written', record, signature: new Uint8Array(64) }));
    expect(granted(said)).to.equal(true);
    expect(granted(follower.hear(follower.leader, ask('vote', 1, -1)))).to.equal(false);
    expect(follower.written(follower.rival, ask('vote', 1, -1))).to.deep.equal(['vote 1']);
  });

  it('nothing of a round below the promised one is accepted, and the sender is told', () => {
    follower.hear(follower.rival, ask('vote', 2, -1));
    const block = follower.simulation.newBlock(follower.leader);
    const append = { kind: 'append' as const, height: 1, round: 0, digest: digestOf(block), block };
    expect(follower.hear(follower.leader, append)).to.deep.equal([{ kind: 'refuse', height: 1, round: 2 }]);
    // Also where the check was under way when the promise was given.
    const other = new Follower();
    other.hear(other.leader, append);
    other.hear(other.rival, ask('vote', 1, -1));
    const effects = other.input({ type: 'checked', height: 1, round: 0, digest: append.digest, valid: true });
    expect(effects.filter(({ type }) => type === 'write')).to.deep.equal([]);
  });

  it('one block in a round: another one of the same leader and round is not accepted', () => {
    const first = follower.accept(follower.leader, 0);
    follower.accept(follower.leader, 0);
    expect(follower.state.accepted?.digest).to.equal(first);
  });

  it('round 0 has an owner: a block of round 0 from anybody else is not looked at', () => {
    const block = follower.simulation.newBlock(follower.rival);
    const message = { kind: 'append' as const, height: 1, round: 0, digest: digestOf(block), block };
    const effects = follower.input({ type: 'message', from: follower.rival.key, message });
    expect(effects).to.deep.equal([]);
  });

  it('an elected leader proposes the block that it has accepted, not a new one', () => {
    const digest = follower.accept(follower.leader, 0);
    follower.input({ type: 'work', pooled: true, leaderDown: true });
    follower.input({ type: 'timeout', timer: 'election' });
    follower.hear(follower.rival, { kind: 'pre-vote-answer', height: 1, round: 1, promised: 0, granted: true });
    const vote = { kind: 'vote' as const, height: 1, round: 1, candidate: follower.state.options.self };
    follower.input({ type: 'written', record: vote, signature: new Uint8Array(64) });
    const effects = follower.input({
      type: 'message',
      from: follower.rival.key,
      message: { kind: 'vote-answer', height: 1, round: 1, granted: true },
    });
    const writes = effects.flatMap((effect) => (effect.type === 'write' ? [effect.record] : []));
    expect(writes.map(({ kind, round }) => `${kind} ${round}`)).to.deep.equal(['accept 1']);
    expect(writes[0]).to.deep.include({ digest });
    expect(effects.map(({ type }) => type)).to.not.include('build');
  });
});
