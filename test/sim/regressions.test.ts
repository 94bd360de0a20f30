import { expect } from 'chai';
import type { CoreNetwork } from '@it-chain/testkit';
import type { State } from '@it-chain/plugin-consensus';
import { simulatedNetwork, type SimulatedNode } from './simulated-network.js';

const height = (node: SimulatedNode): number => node.tips.length - 1;
const others = (network: CoreNetwork<State>, ...without: number[]): SimulatedNode[] =>
  network.nodes.filter(({ index }) => !without.includes(index));

/** Stories of other systems' users, and of our own runs: one test each. */
describe('directed regressions', function () {
  this.timeout(600_000);

  it('the lone node commits after each of twenty restarts, without waiting for anybody', () => {
    const network = simulatedNetwork(1, 1);
    network.startAll();
    for (let turn = 0; turn < 20; turn += 1) {
      const node = network.node(0);
      network.submit(`tx-${turn}`);
      network.run(network.random.below(8));
      network.crash(node);
      network.start(node);
      network.run(10_000, () => node.pool.size === 0);
      expect(node.pool.size, `restart ${turn}`).to.equal(0);
    }
  });

  it('a dead leader costs one T0, and is not waited for again', () => {
    const network = simulatedNetwork(4, 2);
    network.startAll();
    network.crash(network.node(0));
    network.submit('first');
    const alive = others(network, 0);
    network.run(10_000, () => alive.every(({ pool }) => pool.size === 0));
    expect(network.now).to.be.lessThan(2_000);
    network.run(3_000);
    const before = network.now;
    network.submit('second');
    network.run(10_000, () => alive.every(({ pool }) => pool.size === 0));
    expect(network.now - before).to.be.lessThan(500);
  });

  it('rounds 10, 6, 9 and 10 come together within one Tmax', () => {
    const network = simulatedNetwork(4, 3);
    network.startAll();
    network.partition([0], [1], [2], [3]);
    network.submit('tx');
    network.run(20);
    // Each alone, as if its clock had run: a complaint is a round change without the wait.
    [10, 6, 9, 10].forEach((round, index) => {
      for (let turn = 0; turn < round; turn += 1) network.input(network.node(index), { type: 'complain', height: 1 });
    });
    expect(network.nodes.map(({ state }) => state.at.round)).to.deep.equal([10, 6, 9, 10]);
    network.run(2_000);
    network.heal();
    const healed = network.now;
    network.run(60_000, () => network.nodes.every(({ pool }) => pool.size === 0));
    expect(network.nodes.every(({ pool }) => pool.size === 0)).to.equal(true);
    expect(network.now - healed).to.be.lessThan(8_000 + 2_000);
  });

  it('a quorum that arrives half an hour late decides at once: rounds have not grown meanwhile', () => {
    const network = simulatedNetwork(4, 4);
    network.start(network.node(1));
    network.submit('tx');
    network.run(1_800_000);
    expect(network.node(1).state.at.round).to.be.at.most(1);
    for (const index of [2, 3]) network.start(network.node(index));
    const before = network.now;
    const alive = others(network, 0);
    network.run(60_000, () => alive.every(({ pool }) => pool.size === 0));
    expect(network.now - before).to.be.lessThan(8_000);
  });

  it('one validator a round ahead by half a period, at the longest timeout, does not stay ahead for ever', () => {
    // Seen with an equivocating leader that had silenced itself: all three others were needed, one was always a round
    // further, and with equal timeouts it would have stayed there.
    const network = simulatedNetwork(4, 5);
    network.startAll();
    network.crash(network.node(0));
    network.partition([1], [2], [3]);
    network.submit('tx');
    network.run(20);
    [0, 8, 9, 8].forEach((round, index) => {
      for (let turn = 0; turn < round; turn += 1) network.input(network.node(index), { type: 'complain', height: 1 });
    });
    network.run(4_000);
    network.heal();
    const healed = network.now;
    const alive = others(network, 0);
    network.run(120_000, () => alive.every(({ pool }) => pool.size === 0));
    expect(alive.every(({ pool }) => pool.size === 0)).to.equal(true);
    expect(network.now - healed).to.be.lessThan(4 * 8_000);
  });

  it('no block on either side of 2|2, and agreement after the heal', () => {
    const network = simulatedNetwork(4, 6);
    network.startAll();
    network.partition([0, 1], [2, 3]);
    network.submit('tx');
    network.run(120_000);
    expect(network.nodes.map(height)).to.deep.equal([0, 0, 0, 0]);
    network.heal();
    network.run(20_000, () => network.nodes.every(({ pool }) => pool.size === 0));
    expect(new Set(network.nodes.map(height)).size).to.equal(1);
    expect(network.node(0).pool.size).to.equal(0);
  });

  it("a leader that is frozen for ten seconds comes back to the others' chain", () => {
    const network = simulatedNetwork(4, 7);
    network.startAll();
    network.partition([0], [1, 2, 3]);
    network.submit('tx');
    network.run(10_000);
    expect(height(network.node(1))).to.be.greaterThan(0);
    network.heal();
    network.run(10_000, () => network.nodes.every(({ pool }) => pool.size === 0));
    expect(network.node(0).pool.size).to.equal(0);
  });

  it('a validator without data comes back by certificates', () => {
    const network = simulatedNetwork(2, 8);
    network.startAll();
    for (let turn = 0; turn < 5; turn += 1) {
      network.submit(`tx-${turn}`);
      network.run(10_000, () => network.nodes.every(({ pool }) => pool.size === 0));
    }
    const node = network.node(1);
    network.wipe(node);
    network.start(node);
    network.submit('after');
    network.run(60_000, () => network.nodes.every(({ pool }) => pool.size === 0));
    expect(network.nodes.every(({ pool }) => pool.size === 0)).to.equal(true);
    expect(height(node)).to.equal(height(network.node(0)));
  });

  it('the power fails everywhere at once, again and again, and nothing is signed twice', () => {
    for (let seed = 100; seed < 130; seed += 1) {
      const network = simulatedNetwork(4, seed);
      network.startAll();
      for (let turn = 0; turn < 20; turn += 1) {
        network.submit(`tx-${turn}`);
        network.run(network.random.below(60));
        for (const node of network.nodes) network.crash(node);
        network.run(50);
        network.startAll();
      }
      network.run(60_000, () => network.nodes.every(({ pool }) => pool.size === 0));
      expect(
        network.nodes.every(({ pool }) => pool.size === 0),
        `seed ${seed}`,
      ).to.equal(true);
      expect(network.evidence).to.equal(0);
    }
  });
});
