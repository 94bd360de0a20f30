import { expect } from 'chai';
import { toHex } from '@it-chain/contracts';
import type { NodeProcess } from './support/node-process.js';
import { put, sameTip, startNetwork, type Network } from './support/network.js';
import { until } from './support/until.js';

describe('four nodes', function () {
  this.timeout(600_000);
  let network: Network;
  let nodes: readonly NodeProcess[];

  before(async () => {
    network = await startNetwork(4);
    nodes = network.nodes;
  });
  after(() => network.remove());

  const leaderOf = async (some: readonly NodeProcess[]): Promise<NodeProcess> => {
    const id = await until('one leader', async () => {
      const all = await Promise.all(some.map((node) => node.client.leader()));
      return new Set(all.map(({ leader }) => leader)).size === 1 && all[0]?.leader !== '' && all[0]?.leader;
    });
    const leader = nodes.find(({ nodeId }) => nodeId === id);
    if (leader === undefined) throw new Error(`the leader ${id} is none of the four`);
    return leader;
  };

  it('a transaction sent to any node is committed on all, with identical digests and state roots', async () => {
    for (const node of nodes) {
      const { height } = await put(node, `from-${node.name}`, node.name);
      await sameTip(nodes, height);
    }
    for (const node of nodes) {
      for (const other of nodes) {
        const found = await node.client.kv.get(`from-${other.name}`);
        expect(Buffer.from(found.value ?? []).toString()).to.equal(other.name);
      }
    }
  });

  it('goes on with one follower killed', async () => {
    const leader = await leaderOf(nodes);
    const victim = nodes.find((node) => node !== leader);
    await victim?.kill();
    const alive = nodes.filter((node) => node !== victim);
    for (const node of alive) {
      const { height } = await put(node, `without-a-follower-${node.name}`, 'x');
      await sameTip(alive, height);
    }
    await victim?.start();
    await sameTip(nodes, 1);
  });

  it('goes on with the leader killed: a new leader, known alike on all three', async () => {
    const leader = await leaderOf(nodes);
    await leader.kill();
    const alive = nodes.filter((node) => node !== leader);
    const { height } = await put(alive[0]!, 'without-the-leader', 'x');
    await sameTip(alive, height);
    const next = await leaderOf(alive);
    expect(next.nodeId).to.not.equal(leader.nodeId);
    await leader.start();
    await sameTip(nodes, height);
    const blocks = await leader.client.blocks(1, 500);
    const others = await alive[0]!.client.blocks(1, 500);
    expect(blocks.map(({ digest }) => toHex(digest))).to.deep.equal(
      others.slice(0, blocks.length).map(({ digest }) => toHex(digest)),
    );
  });
});
