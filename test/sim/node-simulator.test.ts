import { expect } from 'chai';
import { Random, runNodes, SimulatedDisk } from '@it-chain/testkit';
import { utf8, type WriteRequest } from '@it-chain/contracts';
import { shippedPlugins } from './shipped-plugins.js';

const SEEDS = Number(process.env['SIM_NODE_SEEDS'] ?? 1);

describe('the node simulator with the shipped plugins', function () {
  this.timeout(900_000);

  for (const faults of ['none', 'network', 'power', 'mixed']) {
    it(`agreement, atMostOnce, durability, stateEquality and liveness under the profile ${faults}`, async () => {
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        const { violation, height } = await runNodes(shippedPlugins, { seed, faults, chaosMs: 6_000 });
        const replay = `npm run sim -- --node --seed ${seed} --faults ${faults} --chaos 6000 --trace`;
        expect(violation?.message, replay).to.equal(undefined);
        expect(height, replay).to.be.greaterThan(1);
      }
    });
  }

  it('determinism: one seed gives one trace, another seed another one', async () => {
    const trace = async (seed: number): Promise<string> =>
      (await runNodes(shippedPlugins, { seed, nodes: 3, chaosMs: 4_000 })).traceHash;
    const first = await trace(7);
    expect(await trace(7)).to.equal(first);
    expect(await trace(8)).not.to.equal(first);
  });
});

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
