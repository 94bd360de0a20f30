import { expect } from 'chai';
import { toHex } from '@it-chain/contracts';
import { NodeProcess } from './support/node-process.js';
import { committed, put, sameTip, scratch, startNetwork, type Network } from './support/network.js';
import { until } from './support/until.js';

describe('restarts', function () {
  this.timeout(900_000);

  describe('the first node alone', () => {
    const folder = scratch();
    let node: NodeProcess;
    before(async () => {
      node = await NodeProcess.create({ name: 'alone', dir: folder.dir });
      await node.start(['--solo']);
    });
    after(async () => {
      await node.stop();
      folder.remove();
    });

    it('commits after every restart, by SIGTERM and by kill -9 in turn, and ends with 0 on SIGTERM', async () => {
      let height = 0;
      for (let round = 0; round < 4; round += 1) {
        const made = await put(node, `round-${round}`, String(round));
        expect(made.height).to.be.greaterThan(height);
        height = made.height;
        const ended = await node.stop(round % 2 === 0 ? 'SIGTERM' : 'SIGKILL');
        if (round % 2 === 0) expect(ended.code).to.equal(0);
        await node.start();
      }
      for (let round = 0; round < 4; round += 1) {
        const found = await node.client.kv.get(`round-${round}`);
        expect(Buffer.from(found.value ?? []).toString()).to.equal(String(round));
      }
    });

    it('keeps what it acknowledged as pending through kill -9, before any leader', async () => {
      const other = await NodeProcess.create({ name: 'waiting', dir: folder.dir });
      await other.start();
      const sent = await other.client.kv.put('kept', 'yes');
      await other.kill();
      await other.start();
      expect((await other.client.transaction(sent.id)).status).to.equal('pending');
      await other.stop();
    });
  });

  describe('four nodes under kill -9', () => {
    let network: Network;
    before(async () => {
      network = await startNetwork(4);
    });
    after(() => network.remove());

    it('lose nothing that was acknowledged and run nothing twice, whoever is killed, and when all are', async () => {
      const { nodes } = network;
      const acknowledged: string[] = [];
      const send = async (node: NodeProcess, label: string): Promise<void> => {
        const sent = await node.client.kv.put(label, label);
        acknowledged.push(toHex(sent.id));
      };
      for (const victim of nodes) {
        const witness = nodes.find((node) => node !== victim)!;
        for (let index = 0; index < 20; index += 1)
          await send(index % 2 === 0 ? victim : witness, `${victim.name}-${index}`);
        await victim.kill();
        await send(witness, `${victim.name}-gone`);
        await victim.start();
      }
      for (let index = 0; index < 20; index += 1) await send(nodes[index % 4]!, `all-${index}`);
      await Promise.all(nodes.map((node) => node.kill()));
      await Promise.all(nodes.map((node) => node.start()));
      const { height } = await put(nodes[0]!, 'after all', 'yes');
      await sameTip(nodes, height);
      await until(
        'every acknowledged transaction on every node',
        async () => {
          for (const node of nodes) {
            const ids = await committed(node);
            if (!acknowledged.every((id) => ids.includes(id))) return false;
          }
          return true;
        },
        60_000,
      );
      for (const node of nodes) {
        const ids = await committed(node);
        expect(new Set(ids).size, `${node.name} has each id once`).to.equal(ids.length);
      }
    });
  });
});
