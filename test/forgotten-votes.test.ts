import { cpSync, readdirSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect } from 'chai';
import { ChainTip, chainKeys, heightKey, nodeIdOf, toHex } from '@it-chain/contracts';
import { SystemClock } from '@it-chain/kernel';
import { LevelDbConfig, LevelStorage } from '@it-chain/plugin-leveldb';
import { run } from './support/command.js';
import type { NodeProcess } from './support/node-process.js';
import { committed, put, sameTip, startNetwork, type Network } from './support/network.js';
import { randomOf } from './support/random.js';
import { until } from './support/until.js';

/** `npm run storage-faults` repeats what `npm test` does once, and does what takes longer. */
const asked = process.env['STORAGE_FAULTS'] !== undefined;
const trials = asked ? Number(process.env['TRIALS'] ?? 5) : 1;
const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

const storeOf = (node: NodeProcess): string => join(node.dataDir, 'plugins', 'leveldb');
const guardBytes = (node: NodeProcess): number => statSync(join(node.dataDir, 'votes.guard')).size;

describe(`a validator that has forgotten its votes (SEED=${seed})`, function () {
  this.timeout(3_600_000);
  const random = randomOf(seed);
  const acknowledged: string[] = [];
  let network: Network;
  let nodes: readonly NodeProcess[] = [];
  let count = 0;

  before(async () => {
    // A round that never ends by itself: what is open stays open in round 0 until the test lets it be decided.
    network = await startNetwork(4, { sections: { consensus: { baseTimeoutMs: 600_000, maxTimeoutMs: 600_000 } } });
    ({ nodes } = network);
  });
  after(() => network.remove());

  const others = (...not: readonly NodeProcess[]): NodeProcess[] => nodes.filter((node) => !not.includes(node));
  async function leader(): Promise<NodeProcess> {
    const { leader: id } = await nodes[0]!.client.status();
    return nodes.find(({ nodeId }) => nodeId === id)!;
  }
  async function commit(node: NodeProcess): Promise<number> {
    const made = await put(node, `key-${(count += 1)}`, 'x'.repeat(200));
    acknowledged.push(toHex(made.id));
    return made.height;
  }

  /** Lets `first` and `second` alone, one of them the leader, vote on a block that no quorum can decide. */
  async function openHeight(first: NodeProcess, second: NodeProcess): Promise<NodeProcess[]> {
    const gone = others(first, second);
    await Promise.all(gone.map((node) => node.stop()));
    const before = [first, second].map(guardBytes);
    const { id } = await (await leaderOf(first, second)).client.kv.put(`key-${(count += 1)}`, 'open');
    acknowledged.push(toHex(id));
    await until('two votes on one block', () =>
      [first, second].every((node, index) => guardBytes(node) > (before[index] ?? 0)),
    );
    // The vote of each has reached the other: only then is it remembered there.
    await until('each to have heard the other', async () => {
      const [one, two] = await Promise.all([first.client.consensus(), second.client.consensus()]);
      const heard = (views: typeof one.views, of: NodeProcess): boolean =>
        views.some(({ nodeId, height }) => nodeId === of.nodeId && height === one.height);
      return one.height === two.height && heard(one.views, second) && heard(two.views, first);
    });
    return gone;
  }
  const leaderOf = async (...among: readonly NodeProcess[]): Promise<NodeProcess> => {
    const { leader: id } = await among[0]!.client.status();
    return among.find(({ nodeId }) => nodeId === id)!;
  };

  /** I1 to I4: one chain on all nodes, nothing lost, nothing twice; and nobody was caught with two votes. */
  async function whole(liar?: NodeProcess): Promise<void> {
    await sameTip(nodes, await commit(nodes[0]!));
    for (const node of nodes) {
      const ids = await until(
        `everything that was acknowledged on ${node.name}`,
        async () => {
          const all = await committed(node);
          return acknowledged.every((id) => all.includes(id)) && all;
        },
        30_000,
      );
      expect(new Set(ids).size, `${node.name}: an id twice`).to.equal(ids.length);
      const accused = (await node.client.evidence()).map(({ evidence }) => nodeIdOf(evidence.publicKey));
      expect(
        accused.filter((id) => id !== liar?.nodeId),
        `${node.name}: evidence`,
      ).to.deep.equal([]);
    }
  }

  it('of a consensus log that has lost its end says nothing against them, and votes again once others have decided', async () => {
    for (let trial = 0; trial < trials; trial += 1) {
      const first = await leader();
      const victim = others(first)[trial % 3]!;
      const gone = await openHeight(first, victim);
      await victim.kill();
      const { all, cut } = await cutLog(victim, random());
      // Killed between the guard and the log, it has lost its whole end by itself: the guard has grown all the same.
      if (all > 0) expect(cut, `of ${all} records`).to.be.greaterThan(0);
      await victim.start();
      await Promise.all(gone.map((node) => node.start()));
      await whole();
    }
  });

  (asked ? it : it.skip)(
    'of a store whose log file was cut is refused with 10 or catches up, and is whole after a repair (npm run storage-faults)',
    async () => {
      let refused = 0;
      for (let trial = 0; trial < trials; trial += 1) {
        const victim = others(await leader())[trial % 3]!;
        for (let index = 0; index < 10; index += 1) {
          const { id } = await nodes[index % 4]!.client.kv.put(`key-${(count += 1)}`, 'y'.repeat(200));
          acknowledged.push(toHex(id));
        }
        await victim.kill();
        const files = readdirSync(join(storeOf(victim), 'db')).filter((name) => name.endsWith('.log'));
        const last = join(storeOf(victim), 'db', files.sort().at(-1) ?? '');
        const { size } = statSync(last);
        truncateSync(last, Math.max(0, size - 1 - Math.floor(random() * Math.min(size, 1_048_576))));
        const started = await victim.start().then(
          () => true,
          () => false,
        );
        if (!started) {
          refused += 1;
          expect((await victim.ended()).code, victim.stderr).to.equal(10);
          const source = others(victim)[0]!;
          const repaired = await run('chain', 'repair', '--config', victim.configFile, '--from', source.api, '--yes');
          expect(repaired.code, repaired.err).to.be.oneOf([0, 1]);
          await victim.start();
        }
        await whole();
      }
      process.stdout.write(`      ${refused} of ${trials} cuts were refused with 10\n`);
    },
  );

  it('is not started twice on one data directory', async () => {
    const running = nodes.find((node) => node.running)!;
    const twice = await run('start', '--config', running.configFile);
    expect(twice.code, twice.err).to.equal(14);
    expect(twice.err).to.include('ERR_STORAGE_IN_USE');
  });

  it('of a restored backup stays silent, and says what would let it vote; then its key signs twice, and peers keep the proof', async () => {
    const liar = await leader();
    const [witness, third, fourth] = others(liar);
    await liar.stop();
    const backup = `${liar.dataDir}-backup`;
    cpSync(liar.dataDir, backup, { recursive: true });
    await liar.start();
    await until('the sessions to be back', async () => (await liar.client.consensus()).present === 4, 30_000);
    await openHeight(liar, witness!);
    const { height } = await witness!.client.consensus();
    const machine = `${liar.dataDir}-machine`;
    await liar.kill();
    renameSync(liar.dataDir, machine);
    cpSync(backup, liar.dataDir, { recursive: true });
    // Three of four would decide, if the one with the backup voted: it learns from its peer that it must not.
    await third!.start();
    await liar.start();
    await until(
      'the node with the backup to say why it is silent',
      () => liar.stderr.includes('ERR_CONSENSUS_STATE_LOST') && liar.stderr.includes('--accept-double-sign-risk'),
    );
    await until('its peers to be connected', async () => (await liar.client.consensus()).present === 3, 30_000);
    const waiting = await third!.client.kv.put(`key-${(count += 1)}`, 'waits');
    acknowledged.push(toHex(waiting.id));
    await until('the work to be known', async () => (await liar.client.consensus()).working, 30_000);
    expect((await liar.client.consensus()).height).to.equal(height);
    expect((await witness!.client.evidence()).length).to.equal(0);
    // The same key on a second machine, whose operator takes the risk: the peer that saw the first one keeps the proof.
    await liar.stop();
    await liar.start(['--accept-double-sign-risk']);
    const proof = await until(
      'the proof that one key signed twice',
      async () => {
        const kept = await witness!.client.evidence();
        return kept.length > 0 && kept;
      },
      60_000,
    );
    expect(new Set(proof.map(({ evidence }) => nodeIdOf(evidence.publicKey)))).to.deep.equal(new Set([liar.nodeId]));
    await fourth!.start();
    await whole(liar);
    for (const folder of [backup, machine]) rmSync(folder, { recursive: true });
  });
});

/** Takes the last records of the open height off the consensus log of a stopped node. `share` of them stay. */
async function cutLog(node: NodeProcess, share: number): Promise<{ all: number; cut: number }> {
  const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const storage = await LevelStorage.open(
    { ...LevelDbConfig.parse(undefined), directory: storeOf(node) },
    { clock: new SystemClock(), log: quiet, random: (length) => randomBytes(length), failing: () => undefined },
  );
  try {
    const { values } = await storage.read({ namespace: 'chain', keys: [chainKeys.tip] });
    const { height } = ChainTip.decode(values[0]!.value!);
    const from = heightKey(height + 1);
    const { entries } = await storage.range({ namespace: 'wal', from, limit: 0, maxBytes: 0, reverse: false });
    const cut = entries.slice(Math.floor(share * entries.length));
    const writes = cut.map(({ key }) => ({ namespace: 'wal' as const, key }));
    await storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
    return { all: entries.length, cut: cut.length };
  } finally {
    await storage.close();
  }
}
