import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { Block, decodeTransaction, toHex } from '@it-chain/contracts';
import { run } from './support/command.js';
import { NodeProcess } from './support/node-process.js';
import { allValidators, put, sameTip, startNetwork, type Network } from './support/network.js';
import { until } from './support/until.js';

const value = async (node: NodeProcess, key: string): Promise<string | undefined> => {
  const { value: found } = await node.client.kv.get(key);
  return found === undefined ? undefined : Buffer.from(found).toString();
};
const keyOf = async (node: NodeProcess): Promise<string> => {
  const { members } = await node.client.members();
  return toHex(members.find(({ nodeId }) => nodeId === node.nodeId)!.publicKey);
};
const networkOf = async (node: NodeProcess): Promise<string> => toHex((await node.client.genesis()).network);

/** Loses a node for good: its process, its key and its data. */
async function lose(node: NodeProcess): Promise<void> {
  await node.kill();
  rmSync(node.dataDir, { recursive: true });
}

/** Sends what no quorum will commit. */
async function stuckAt(node: NodeProcess): Promise<Uint8Array> {
  const { id, status } = await node.client.kv.put('stuck', 'yes');
  expect(status).to.equal('pending');
  return id;
}

describe('a network that has lost its quorum for good', function () {
  this.timeout(900_000);

  describe('two validators, one of which has lost its disk', () => {
    let network: Network;
    let [survivor, lost]: NodeProcess[] = [];
    let old = '';
    let height = 0;
    let key = '';
    let lostKey = '';
    let encoded: Uint8Array;
    let committed: Uint8Array;
    let stuck: Uint8Array;
    let recovered: Readonly<Record<string, unknown>> = {};
    const recover = (...args: string[]): ReturnType<typeof run> =>
      run('recover', '--config', survivor!.configFile, ...args);

    before(async () => {
      network = await startNetwork(2);
      [survivor, lost] = network.nodes;
      await put(survivor!, 'kept', 'before');
      ({ height, id: committed } = await put(survivor!, 'count', '1'));
      const body = Block.decode((await survivor!.client.block(height)).certified.block);
      encoded = body.transactions.find((one) => toHex(decodeTransaction(one).id) === toHex(committed))!;
      ({ height } = await sameTip(network.nodes, height + 1));
      old = await networkOf(survivor!);
      [key, lostKey] = [await keyOf(survivor!), await keyOf(lost!)];
    });
    after(() => network.remove());

    it('is not recovered while the node runs, and commits nothing more', async () => {
      await lose(lost!);
      stuck = await stuckAt(survivor!);
      expect((await recover('--new-set', key, '--reason', 'test', '--yes')).code).to.equal(14);
      expect((await survivor!.client.status()).height).to.equal(height);
      await survivor!.stop();
    });

    it('is not recovered into a set without this node or with a stranger, nor without being told to', async () => {
      for (const [args, code, said] of [
        [['--new-set', lostKey, '--reason', 'x', '--yes'], 5, 'does not have the key of this node'],
        [['--new-set', `${key},${'ab'.repeat(32)}`, '--reason', 'x', '--yes'], 5, 'no member'],
        [['--new-set', key, '--reason', 'x'], 2, 'Given up'],
      ] as const) {
        const refused = await recover(...args);
        expect(refused.code, `${args.join(' ')}: ${refused.err}`).to.equal(code);
        expect(refused.err).to.include(said);
      }
      expect(existsSync(join(survivor!.dataDir, 'before-recover-1'))).to.equal(false);
    });

    it('goes on in a new network with one validator, from the last certified block, with all values', async () => {
      const done = await recover('--new-set', key, '--reason', 'the disk of n2 is gone', '--yes');
      expect(done.code, done.err).to.equal(0);
      recovered = done.json;
      expect(recovered).to.include({ before: old, height, reason: 'the disk of n2 is gone' });
      expect(recovered['network']).to.not.equal(before);
      expect(existsSync(String(recovered['kept']))).to.equal(true);
      await survivor!.start();
      expect(await networkOf(survivor!)).to.equal(recovered['network']);
      const made = await put(survivor!, 'after', 'the recovery');
      expect(made.height).to.be.greaterThan(height);
      expect(await value(survivor!, 'kept')).to.equal('before');
      expect(await value(survivor!, 'count')).to.equal('1');
    });

    it('refuses what was signed for the network before by name, and still knows what that one has committed', async () => {
      const [again] = await survivor!.client.submit([encoded]);
      expect(again).to.include({ status: 'rejected', code: 'ERR_TX_DIFFERENT_NETWORK' });
      expect(await survivor!.client.transaction(committed)).to.include({ status: 'committed' });
      expect(await survivor!.client.transaction(stuck)).to.include({
        status: 'rejected',
        code: 'ERR_TX_DIFFERENT_NETWORK',
      });
      expect(await value(survivor!, 'stuck')).to.equal(undefined);
    });

    it('verifies offline, and takes the lost machine back as a new node with the state, not the blocks', async () => {
      await lost!.start();
      await lost!.client.join(survivor!.peer);
      await allValidators([survivor!, lost!]);
      const made = await put(lost!, 'both', 'again');
      await sameTip([survivor!, lost!], made.height);
      expect(await value(lost!, 'kept')).to.equal('before');
      const [again] = await lost!.client.submit([encoded]);
      expect(again).to.include({ status: 'rejected', code: 'ERR_TX_DIFFERENT_NETWORK' });
      await lost!.stop();
      await survivor!.stop();
      const whole = await run('chain', 'verify', '--config', survivor!.configFile);
      expect(whole.json, whole.err).to.deep.include({ problems: [], online: false });
    });

    it('can be read in the store that was kept', async () => {
      const dataDir = join(network.nodes[0]!.dataDir, '..', 'archive');
      mkdirSync(dataDir);
      renameSync(String(recovered['kept']), join(dataDir, 'plugins'));
      const archive = await NodeProcess.create({ name: 'archive', dir: join(dataDir, '..') });
      const file = join(dataDir, 'old.blocks');
      const exported = await run('chain', 'export', file, '--config', archive.configFile);
      expect(exported.json, exported.err).to.deep.include({ from: 1, to: height });
    });
  });

  describe('four validators, two of which are lost', () => {
    let network: Network;
    let nodes: readonly NodeProcess[] = [];
    let old = '';
    let height = 0;
    let encoded: Uint8Array;

    before(async () => {
      network = await startNetwork(4);
      ({ nodes } = network);
      const made = await put(nodes[0]!, 'kept', 'before');
      encoded = Block.decode((await nodes[0]!.client.block(made.height)).certified.block).transactions[0]!;
      ({ height } = await sameTip(nodes, made.height + 1));
      old = await networkOf(nodes[0]!);
    });
    after(() => network.remove());

    it('goes on with the two that are left, once both have taken the new network', async () => {
      const [first, second, third, fourth] = nodes;
      const set = [await keyOf(first!), await keyOf(second!)].join(',');
      await Promise.all([lose(third!), lose(fourth!)]);
      await stuckAt(first!);
      await first!.stop();
      const done = await run(
        ...['recover', '--config', first!.configFile, '--new-set', set, '--reason', 'two disks', '--yes'],
      );
      expect(done.json, done.err).to.include({ before: old, height });
      expect(String(done.json['givenUp'])).to.include('either one down stops the chain');
      await first!.start();
      // The late one still runs the network before: it is told what to do, and nothing changes on either side.
      await first!.client.dial(second!.peer).catch(() => undefined);
      const told = await until(
        'the late survivor to be told',
        () => second!.stderr.includes('ERR_NETWORK_RECOVERED') && second!.stderr,
      );
      expect(told).to.include('it-chain recover --from');
      const refused = await run('join', first!.peer, '--api', second!.api, '--config', second!.configFile);
      expect(refused.err).to.include('ERR_NETWORK_RECOVERED');
      expect(refused.code).to.equal(5);
      expect(await networkOf(second!)).to.equal(old);
      expect((await first!.client.status()).height).to.equal(height);
      await second!.stop();
      const followed = await run('recover', '--config', second!.configFile, '--from', first!.api, '--yes');
      expect(followed.json, followed.err).to.include({ before: old, height, network: done.json['network'] });
      await second!.start();
      await second!.client.dial(first!.peer);
      await allValidators([first!, second!]);
      const made = await put(second!, 'after', 'both');
      await sameTip([first!, second!], made.height);
      for (const node of [first!, second!]) expect(await value(node, 'kept')).to.equal('before');
    });

    it('lets what was committed before run nowhere again, and a lost machine join with an empty disk', async () => {
      const [first, second, third] = nodes;
      await third!.start();
      await third!.client.join(first!.peer);
      await allValidators([first!, second!, third!]);
      await first!.stop();
      const made = await put(third!, 'one', 'down');
      await sameTip([second!, third!], made.height);
      for (const node of [second!, third!]) {
        const [again] = await node.client.submit([encoded]);
        expect(again).to.include({ status: 'rejected', code: 'ERR_TX_DIFFERENT_NETWORK' });
      }
      expect(await value(third!, 'kept')).to.equal('before');
    });

    it('is not recovered a second time by a survivor whose store is another', async () => {
      const [first, second] = nodes;
      const genesis = join(second!.dataDir, 'other.genesis');
      writeFileSync(genesis, (await second!.client.genesis()).genesis);
      const again = await run('recover', '--config', first!.configFile, '--file', genesis, '--yes');
      expect(again.code, again.err).to.equal(5);
      expect(again.err).to.include('ERR_RECOVERY_REFUSED');
    });
  });
});
