import { expect } from 'chai';
import {
  NODE_PROFILES,
  Random,
  runNodes,
  shrinkNodes,
  SimulatedDisk,
  type NodePlan,
  type NodesUnderTest,
  type SimulatedPlugin,
} from '@it-chain/testkit';
import { Chain, type Plugin, utf8, type WriteRequest } from '@it-chain/contracts';
import { shippedNodes } from './shipped-plugins.js';

const SEEDS = Number(process.env['SIM_NODE_SEEDS'] ?? 1);

describe('the node simulator with the shipped plugins', function () {
  this.timeout(900_000);

  for (const faults of Object.keys(NODE_PROFILES)) {
    it(`agreement, atMostOnce, durability, stateEquality and liveness under the profile ${faults}`, async () => {
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        const { violation, height } = await runNodes(shippedNodes, { seed, faults, chaosMs: 6_000 });
        const replay = `npm run sim -- --node --seed ${seed} --faults ${faults} --chaos 6000 --trace`;
        expect(violation?.message, replay).to.equal(undefined);
        expect(height, replay).to.be.greaterThan(1);
      }
    });
  }

  const quiet: NodePlan = {
    nodes: 4,
    founders: 4,
    grown: true,
    byzantine: {},
    twins: [],
    guard: false,
    accuse: false,
    diskMs: [],
    actions: [],
  };

  // They were observers all the time once: their joins were signed with what the chain does not take for a signature.
  it('the nodes are validators before the trouble, and those that join in it become members', async () => {
    const actions = [
      { at: 100, type: 'join-network', node: 4, via: 1 },
      { at: 900, type: 'leave-network', node: 3 },
    ] as const;
    const plan = { ...quiet, nodes: 5, actions };
    const { violation, validators, simulatedMs } = await runNodes(shippedNodes, { seed: 1, plan, chaosMs: 5_000 });
    expect(violation?.message).to.equal(undefined);
    expect(validators).to.be.at.least(4);
    // One that was four blocks behind stayed there for a minute once, with two blocks made in each second.
    expect(simulatedMs).to.be.lessThan(30_000);
  });

  it('a liar lies, and is voted out', async () => {
    const plan: NodePlan = {
      ...quiet,
      byzantine: { 1: 'equivocating-leader' },
      actions: [
        { at: 50, type: 'crash', node: 0, afterEffects: 0 },
        { at: 100, type: 'submit', transaction: '', nodes: [1, 2] },
        { at: 1_500, type: 'start', node: 0 },
        { at: 2_000, type: 'evict', node: 1 },
      ],
    };
    const lines: string[] = [];
    const trace = (line: string): void => void lines.push(line);
    const { violation, lies } = await runNodes(shippedNodes, { seed: 2, plan, chaosMs: 6_000, trace });
    expect(violation?.message).to.equal(undefined);
    expect(lies).to.be.greaterThan(0);
    expect(lines.some((line) => line.includes('is out'))).to.equal(true);
  });

  it('a liar that is caught goes by the evidence, without an operator', async () => {
    const plan: NodePlan = {
      ...quiet,
      byzantine: { 1: 'equivocating-leader' },
      accuse: true,
      actions: [
        // The liar must lead: as the next one after the first.
        { at: 50, type: 'crash', node: 0, afterEffects: 0 },
        { at: 100, type: 'submit', transaction: '', nodes: [1, 2] },
        { at: 1_500, type: 'start', node: 0 },
        { at: 2_500, type: 'submit', transaction: '', nodes: [2] },
      ],
    };
    const report = await runNodes(shippedNodes, { seed: 2, plan, chaosMs: 8_000 });
    expect(report.violation?.message).to.equal(undefined);
    expect(report.evidence).to.be.greaterThan(0);
    expect(report.validatorsAtEnd).to.equal(3);
  });

  it('twins contradict each other, and nobody forks', async () => {
    const options = { nodes: 4, faults: 'byzantine', strategies: ['twins'] };
    let contradictions = 0;
    for (const seed of [3, 4]) {
      const { violation, lies } = await runNodes(shippedNodes, { ...options, seed });
      expect(violation?.message, `seed ${seed}`).to.equal(undefined);
      contradictions += lies;
    }
    expect(contradictions).to.be.greaterThan(0);
  });

  // It stayed a second behind for good: it heard where the others were from STATUS only, which comes once a second.
  it('a validator that comes back under a steady load is where the others are, and votes with them', async () => {
    const chaosMs = 10_000;
    const put = (at: number): NodePlan['actions'][number] => ({ at, type: 'submit', transaction: '', nodes: [0] });
    const puts = Array.from({ length: chaosMs / 40 }, (_, index) => put(40 * index));
    const away: NodePlan['actions'] = [
      { at: 1_500, type: 'crash', node: 3, afterEffects: 0 },
      { at: 3_000, type: 'start', node: 3 },
    ];
    const plan: NodePlan = { ...quiet, actions: [...puts, ...away].sort((one, other) => one.at - other.at) };
    const first = new Map<string, number>();
    const own = new Map<string, number>();
    const trace = (line: string): void => {
      const [, at, node, height = ''] = /^ *(\S+) (\d) committed (\d+)/.exec(line) ?? [];
      const seen = node === '3' ? own : first;
      if (at !== undefined && !seen.has(height)) seen.set(height, Number(at));
    };
    const { violation, simulatedMs } = await runNodes(shippedNodes, { seed: 1, plan, chaosMs, trace });
    expect(violation?.message).to.equal(undefined);
    // From well after its start until the load ends.
    const late = [...first].filter(([, at]) => at > simulatedMs - 8_000 && at < simulatedMs - 4_000);
    expect(late.length).to.be.greaterThan(20);
    for (const [height, at] of late) expect((own.get(height) ?? Infinity) - at, `height ${height}`).to.be.lessThan(200);
  });

  // One peer that named a great height and never answered kept every commit of the others waiting for it.
  it('a peer that boasts of blocks and gives none holds no commit up', async () => {
    const chaosMs = 6_000;
    const actions = Array.from({ length: chaosMs / 100 }, (_, index): NodePlan['actions'][number] => {
      return { at: 100 * index, type: 'submit', transaction: '', nodes: [0] };
    });
    const blocks = async (byzantine: NodePlan['byzantine']): Promise<{ lies: number; made: number }> => {
      const committed: string[] = [];
      const trace = (line: string): void => {
        if (line.includes(' 0 committed ')) committed.push(line);
      };
      const plan: NodePlan = { ...quiet, byzantine, actions };
      const { violation, lies } = await runNodes(shippedNodes, { seed: 1, plan, chaosMs, trace });
      expect(violation?.message).to.equal(undefined);
      return { lies, made: committed.length };
    };
    const honest = await blocks({});
    const boasted = await blocks({ 2: 'boaster' });
    expect(boasted.lies).to.be.greaterThan(50);
    expect(boasted.made).to.be.greaterThan(honest.made * 0.8);
  });

  it('makes the schedule of a failing run smaller', async () => {
    const plugins: NodesUnderTest['plugins'] = (plan) => shippedNodes.plugins(plan).map(breaking);
    const under: NodesUnderTest = { ...shippedNodes, plugins };
    const options = { seed: 4, nodes: 1, faults: 'none', chaosMs: 6_000 };
    const { violation, plan } = await runNodes(under, options);
    expect(violation?.message).to.contain('the tenth block is too much');
    const shrunk = await shrinkNodes(under, options, 12);
    expect(shrunk.report.violation?.invariant).to.equal('exception');
    expect(shrunk.plan.actions.length).to.be.lessThan(plan.actions.length);
  });

  it('determinism: one seed gives one trace, another seed another one', async () => {
    const trace = async (seed: number): Promise<string> =>
      (await runNodes(shippedNodes, { seed, nodes: 3, chaosMs: 4_000 })).traceHash;
    const first = await trace(7);
    expect(await trace(7)).to.equal(first);
    expect(await trace(8)).not.to.equal(first);
  });
});

/** A plugin that leaves a promise to its fate at the tenth block. */
function breaking(simulated: SimulatedPlugin): SimulatedPlugin {
  const { plugin, config } = simulated;
  if (plugin.name !== 'chain') return simulated;
  const setup: Plugin['setup'] = (context) => {
    context.on(Chain.events.committed, ({ height }) => {
      if (height === 10) void Promise.reject(new Error('the tenth block is too much'));
    });
    return plugin.setup(context);
  };
  return { plugin: { ...plugin, setup }, config };
}

describe('a simulated disk', () => {
  const batch = (key: string, sync: boolean): WriteRequest => ({
    writes: [{ namespace: 'chain', key: utf8(key), value: utf8('value') }],
    when: [],
    sync,
    writer: '',
    sequence: 0,
  });
  const at = (disk: SimulatedDisk, key: string): boolean => disk.memory.peek('chain', utf8(key)) !== undefined;

  it('keeps what is synced, and of the rest a part from the front', async () => {
    const kept = new Set<string>();
    for (let seed = 1; seed <= 40; seed += 1) {
      const disk = new SimulatedDisk(new Random(seed));
      const storage = disk.serve({ after: (_ms, run) => run() });
      await storage.write(batch('first', true));
      for (const key of ['second', 'third', 'fourth']) await storage.write(batch(key, false));
      disk.crash();
      expect(at(disk, 'first'), `seed ${seed}`).to.equal(true);
      const present = ['second', 'third', 'fourth'].map((key) => at(disk, key));
      expect(present, `seed ${seed}`).to.deep.equal([...present].sort((a, b) => Number(b) - Number(a)));
      kept.add(present.filter(Boolean).length.toString());
    }
    expect([...kept].sort()).to.deep.equal(['0', '1', '2', '3']);
  });

  it('a later sync makes earlier batches last too', async () => {
    const disk = new SimulatedDisk(new Random(3));
    const storage = disk.serve({ after: (_ms, run) => run() });
    await storage.write(batch('first', false));
    await storage.write(batch('second', true));
    expect(disk.unsynced).to.equal(0);
    disk.crash();
    expect([at(disk, 'first'), at(disk, 'second')]).to.deep.equal([true, true]);
  });
});
