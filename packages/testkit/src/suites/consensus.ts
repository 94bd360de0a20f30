/// <reference types="mocha" />
import { expect } from 'chai';
import { Consensus, sameBytes, toHex, type Plugin } from '@it-chain/contracts';
import { ConsensusCluster, type ConsensusClusterOptions } from '../doubles/consensus-cluster.js';
import { agree, leaders, randomOf, settled, textsOf } from './consensus-checks.js';
import { testWithLiars } from './consensus-liars.js';
import { promiseOf } from './promise.js';

/** What the suite is told about an engine. */
export interface ConsensusUnderTest extends ConsensusClusterOptions {
  /** The plugin's section. */
  readonly config?: unknown;
  /** Sizes of the networks that are run. Default 1 and 4; an engine for one node says `[1]`. */
  readonly nodes?: readonly number[];
  /** How many of so many nodes may be down. Default a third of those beside one, as Byzantine engines have it. */
  readonly mayBeDown?: (nodes: number) => number;
  /** How long it may take to get over a disturbance, in ms of the clock of the suite. Default 200,000. */
  readonly patienceMs?: number;
  /** Random schedules of cuts and restarts per size. Default 5. */
  readonly schedules?: number;
  /** True for an engine that stands f liars among 3f+1 validators: then f of them lie in some tests. Default false. */
  readonly byzantine?: boolean;
}

const NAMES = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace'];

/**
 * The compliance suite of the consensus role. Call it inside `describe`; the titles are the role's promises. Several nodes
 * of the engine run on doubles of all other roles, over a transport that the suite cuts; time is the suite's, chance comes
 * from seeds that a failure names. Nodes crash and are cut off; with `byzantine` some of them lie as well. The suite does not
 * know the engine's messages: what a liar can do that knows them belongs into the tests of the engine.
 */
export function testConsensus(plugin: Plugin, options: ConsensusUnderTest = {}): void {
  for (const count of options.nodes ?? [1, 4]) {
    describe(count === 1 ? 'alone' : `${count} nodes`, () => {
      testNetwork(plugin, count, options);
    });
  }
}

function testNetwork(plugin: Plugin, count: number, options: ConsensusUnderTest): void {
  const promise = (number: string): string => promiseOf(Consensus, number);
  const down = (options.mayBeDown ?? ((n) => Math.floor((n - 1) / 3)))(count);
  const patienceMs = options.patienceMs ?? 200_000;
  const clusters: ConsensusCluster[] = [];
  const names = NAMES.slice(0, count);
  const open = (twins: readonly string[] = []): ConsensusCluster => {
    const config: unknown = plugin.config?.parse(options.config ?? {});
    const cluster = new ConsensusCluster(plugin, config, names, { ...options, twins });
    clusters.push(cluster);
    return cluster;
  };

  afterEach(async () => {
    for (const cluster of clusters.splice(0)) {
      for (const index of cluster.nodes.keys()) await cluster.stop(index);
    }
  });

  it(promise('Q1'), async function () {
    this.timeout(60_000 * Number(process.env['TEST_TIME_FACTOR'] ?? 6));
    const first = Number(process.env['SEED'] ?? 1);
    for (let seed = first; seed < first + (options.schedules ?? 5); seed += 1) {
      const cluster = open();
      await cluster.start();
      const texts = await disturb(cluster, randomOf(seed), down);
      expect(await settled(cluster, patienceMs, texts), `seed ${seed}: not committed everywhere`).to.equal(true);
      agree(cluster, `seed ${seed}`);
    }
  });

  it(promise('Q2'), async () => {
    const cluster = open();
    await cluster.start();
    const texts = Array.from({ length: 5 }, (_, index) => `tx ${index}`);
    for (const text of texts) await cluster.submit(text);
    expect(await settled(cluster, patienceMs, texts), 'in peace').to.equal(true);
    // The others go on without as many as may be down, the leader among them.
    const gone = await leaders(cluster, down);
    for (const index of gone) await cluster.stop(index);
    const left = [...cluster.nodes.keys()].filter((index) => !gone.includes(index));
    await cluster.submit('without some', ...left);
    const everywhere = (): boolean => left.every((index) => textsOf(cluster, index).includes('without some'));
    expect(await cluster.until(everywhere, patienceMs), `${gone.length} of ${count} down`).to.equal(true);
    agree(cluster, 'with some down');
  });

  it(promise('Q3'), async () => {
    const cluster = open();
    await cluster.start();
    const texts: string[] = [];
    for (let round = 0; round < 8; round += 1) {
      texts.push(`tx ${round}`, `tx ${round} again`);
      await cluster.submit(`tx ${round}`);
      await cluster.clock.advance(round % 4);
      // The leader is stopped in the middle of whatever it does, and comes back to another pool: what it signed binds it.
      const [index = 0] = await leaders(cluster, 1);
      await cluster.stop(index);
      await cluster.submit(`tx ${round} again`);
      await cluster.start(index);
    }
    expect(await settled(cluster, patienceMs, texts), 'committed after the restarts').to.equal(true);
    const contradictions = cluster.nodes.flatMap((node) => node.contradictions);
    expect(contradictions, 'votes that its guard had to refuse').to.deep.equal([]);
    agree(cluster, 'after restarts');
  });

  if (down > 0) {
    it(promise('Q4'), async () => {
      const cluster = open();
      await cluster.start();
      await cluster.stop(count - 1);
      const texts = Array.from({ length: 10 }, (_, index) => `while away ${index}`);
      const others = [...cluster.nodes.keys()].slice(0, -1);
      for (const text of texts) {
        await cluster.submit(text, ...others);
        await cluster.until(() => others.every((index) => textsOf(cluster, index).includes(text)), patienceMs);
      }
      expect(cluster.node(count - 1).chain.tip.height).to.equal(0);
      await cluster.start(count - 1);
      expect(await settled(cluster, patienceMs, texts), 'caught up').to.equal(true);
      agree(cluster, 'after catching up');
    });
  }

  it(promise('Q5'), async () => {
    const cluster = open();
    await cluster.start();
    await cluster.submit('tx');
    expect(await settled(cluster, patienceMs, ['tx'])).to.equal(true);
    // One block may follow that certifies the root.
    await cluster.clock.advance(60_000);
    const heights = cluster.nodes.map(({ chain }) => chain.tip.height);
    await cluster.clock.advance(600_000);
    expect(cluster.nodes.map(({ chain }) => chain.tip.height)).to.deep.equal(heights);
  });

  if (options.byzantine === true && count > 3) {
    testWithLiars({ open, names, patienceMs, schedules: options.schedules ?? 5 });
  }

  it('names the height that is open and a validator as the leader, the same on all nodes', async () => {
    const cluster = open();
    await cluster.start();
    await cluster.submit('tx');
    expect(await settled(cluster, patienceMs, ['tx'])).to.equal(true);
    await cluster.clock.advance(60_000);
    const all = await Promise.all([...cluster.nodes.keys()].map((index) => cluster.status(index)));
    for (const [index, status] of all.entries()) {
      expect(status.height).to.equal(cluster.node(index).chain.tip.height + 1);
      expect(toHex(status.leader)).to.equal(toHex(all[0]!.leader));
      expect(cluster.set.validators.some(({ publicKey }) => sameBytes(publicKey, status.leader))).to.equal(true);
    }
  });
}

/** Submits while nodes are cut off, stopped and started again; never more of them stopped than may be. */
async function disturb(cluster: ConsensusCluster, random: () => number, down: number): Promise<string[]> {
  const texts: string[] = [];
  const pick = (): number => Math.floor(random() * cluster.nodes.length);
  for (let step = 0; step < 30; step += 1) {
    const stopped = cluster.nodes.filter(({ running }) => running === undefined).length;
    const index = pick();
    const node = cluster.node(index);
    const what = random();
    if (what < 0.4) {
      texts.push(`tx ${step}`);
      await cluster.submit(`tx ${step}`);
    } else if (what < 0.55) cluster.cut.add(`${node.name}>${cluster.node(pick()).name}`);
    else if (what < 0.65) cluster.cut.clear();
    else if (node.running === undefined) await cluster.start(index);
    else if (what < 0.85 && stopped < down) await cluster.stop(index);
    await cluster.clock.advance(Math.floor(random() * 400));
  }
  return texts;
}
