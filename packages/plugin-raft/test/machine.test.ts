import { expect } from 'chai';
import { majorityOf } from '@it-chain/contracts';
import { RaftSimulation, type SimulatedNode } from './support/raft-simulation.js';

const single = process.env['RAFT_SEED'];
const SEEDS = Number(process.env['RAFT_SEEDS'] ?? '20');
const seeds = single === undefined ? Array.from({ length: SEEDS }, (_, index) => index + 1) : [Number(single)];
const nodeAt = (simulation: RaftSimulation, index: number): SimulatedNode => {
  const node = simulation.nodes[index];
  if (node === undefined) throw new Error(`no node ${index}`);
  return node;
};

/** Crashes, restarts, partitions, loss and delay for a while, drawn from the seed. Any number of nodes may be down. */
function disturb(simulation: RaftSimulation, ms: number): void {
  const { random, nodes, queue } = simulation;
  simulation.faults = {
    loss: random.between(0, 0.3),
    duplicate: random.between(0, 0.2),
    maxDelayMs: 5 + random.below(120),
  };
  const end = queue.now + ms;
  while (queue.now < end) {
    simulation.run(random.between(50, 800));
    const victim = random.pick(nodes);
    const what = random.next();
    if (what < 0.25) simulation.crash(victim);
    else if (what < 0.6) simulation.restart(victim);
    else if (what < 0.75) {
      const shuffled = random.shuffle(nodes);
      const at = 1 + random.below(nodes.length - 1);
      simulation.partition(shuffled.slice(0, at), shuffled.slice(at));
    } else if (what < 0.85) simulation.partition();
    else silenceFirst(simulation);
  }
}

/** The worst moment: whoever commits a height first is gone before anybody hears of it. The others decide without it. */
function silenceFirst(simulation: RaftSimulation): void {
  simulation.partition();
  const before = Math.max(...simulation.heights);
  simulation.run(2_000, () => Math.max(...simulation.heights) > before);
  const first = simulation.nodes.find(({ blocks }) => blocks.length > before);
  if (first === undefined) return;
  simulation.crash(first);
  const others = simulation.nodes.filter((node) => node !== first);
  simulation.partition([first], others);
  for (const node of others) simulation.restart(node);
  simulation.run(3_000);
}

function heal(simulation: RaftSimulation): void {
  simulation.faults = { loss: 0, duplicate: 0, maxDelayMs: 10 };
  simulation.partition();
  for (const node of simulation.nodes) simulation.restart(node);
}

describe('the Raft machine, simulated', function () {
  this.timeout(120_000);

  for (const count of [3, 4, 5]) {
    it(`Q1, Q2: ${count} nodes agree through crashes, partitions, loss and delay, and go on when they end (${seeds.length} seeds)`, () => {
      let blocks = 0;
      for (const seed of seeds) {
        const simulation = new RaftSimulation(seed * 10 + count, count).start();
        disturb(simulation, 15_000);
        heal(simulation);
        const target = Math.max(...simulation.heights) + 5;
        const done = (): boolean => simulation.heights.every((height) => height >= target);
        expect(simulation.run(60_000, done), `${simulation.where} stuck at ${simulation.heights.join(' ')}`).to.equal(
          true,
        );
        blocks += target;
      }
      expect(blocks).to.be.greaterThan(seeds.length * 10);
    });
  }

  it('the leader stays the leader while it works, however many others wait for work', () => {
    const simulation = new RaftSimulation(1, 5).start();
    simulation.run(10_000);
    const creators = new Set(
      nodeAt(simulation, 0).blocks.map(({ block }) => Buffer.from(block.header).toString().slice(0, 80)),
    );
    expect(nodeAt(simulation, 0).blocks.length).to.be.greaterThan(100);
    expect(creators.size).to.equal(1);
    expect(nodeAt(simulation, 0).blocks.every(({ certificate }) => certificate.round === 0)).to.equal(true);
  });

  it('a dead leader is replaced while a majority is left, and not below', () => {
    for (const count of [3, 4, 5]) {
      const simulation = new RaftSimulation(count, count).start();
      simulation.run(1_000);
      const spare = count - majorityOf(count);
      for (let index = 0; index < spare; index += 1) {
        simulation.crash(nodeAt(simulation, index));
        const before = Math.max(...simulation.heights);
        const done = (): boolean => Math.max(...simulation.heights) > before + 3;
        expect(simulation.run(30_000, done), simulation.where).to.equal(true);
      }
      simulation.crash(nodeAt(simulation, spare));
      simulation.run(1_000);
      const before = simulation.heights;
      simulation.run(30_000);
      expect(simulation.heights).to.deep.equal(before);
    }
  });

  it('a leader on the smaller side decides nothing, the other side goes on, and afterwards all are alike', () => {
    const simulation = new RaftSimulation(7, 5).start();
    simulation.run(500);
    const [a, b, ...rest] = simulation.nodes as [SimulatedNode, SimulatedNode, ...SimulatedNode[]];
    simulation.partition([a, b], rest);
    simulation.run(200);
    const minority = [a, b].map(({ blocks }) => blocks.length);
    expect(simulation.run(20_000, () => rest.every(({ blocks }) => blocks.length > 20))).to.equal(true);
    expect([a, b].map(({ blocks }) => blocks.length)).to.deep.equal(minority);
    simulation.partition();
    const target = Math.max(...simulation.heights);
    expect(simulation.run(20_000, () => simulation.heights.every((height) => height >= target))).to.equal(true);
  });

  it('a follower that loses patience deposes nobody: it asks before it promises', () => {
    const simulation = new RaftSimulation(3, 3).start();
    simulation.run(500);
    simulation.crash(nodeAt(simulation, 2));
    // Every block arrives later than the follower waits for it. Without pre-votes it would refuse what it asked for.
    const post = simulation.post.bind(simulation);
    simulation.post = (from, to, message) => {
      if (message.kind === 'append') simulation.queue.after(450, () => post(from, to, message));
      else post(from, to, message);
    };
    simulation.run(30_000);
    const { blocks } = nodeAt(simulation, 0);
    expect(blocks.length).to.be.greaterThan(40);
    expect(blocks.every(({ certificate }) => certificate.round === 0)).to.equal(true);
  });

  it('Q3: what was accepted or promised is on disk before anybody hears of it', () => {
    for (const seed of seeds.slice(0, 20)) {
      const simulation = new RaftSimulation(seed, 3).start();
      const post = simulation.post.bind(simulation);
      simulation.post = (from, to, message) => {
        if (
          message.kind === 'ack' ||
          message.kind === 'append' ||
          (message.kind === 'vote-answer' && message.granted)
        ) {
          const { height, round } = message;
          const written = from.disk.some((record) => record.height === height && record.round === round);
          expect(written, `${simulation.where} ${message.kind} ${height}/${round}`).to.equal(true);
        }
        post(from, to, message);
      };
      disturb(simulation, 5_000);
    }
  });

  it('Q5: without work there are no blocks and no timers', () => {
    const simulation = new RaftSimulation(5, 3);
    simulation.pooled = false;
    simulation.start();
    simulation.run(60_000);
    expect(simulation.heights).to.deep.equal([0, 0, 0]);
    expect(simulation.nodes.map(({ timers }) => timers.size)).to.deep.equal([0, 0, 0]);
    expect(simulation.queue.length).to.equal(0);
  });

  it('the same seed gives the same run', () => {
    const run = (): string => {
      const simulation = new RaftSimulation(11, 5).start();
      disturb(simulation, 5_000);
      return `${simulation.steps} ${simulation.heights.join()} ${[...simulation.decided.values()].join()}`;
    };
    expect(run()).to.equal(run());
  });
});
