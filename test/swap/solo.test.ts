import { expect } from 'chai';
import { writeFileSync, readFileSync } from 'node:fs';
import { verifyChain, Genesis, type CertifiedBlock } from '@it-chain/contracts';
import { verifyTransactionProof } from '@it-chain/client';
import { NodeProcess } from '../support/node-process.js';
import { put, scratch } from '../support/network.js';
import { until } from '../support/until.js';

describe('a node that decides alone', function () {
  this.timeout(300_000);
  const folder = scratch();
  const nodes: NodeProcess[] = [];
  after(async () => {
    await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
    folder.remove();
  });

  const blocksOf = async (node: NodeProcess): Promise<CertifiedBlock[]> =>
    (await node.client.blocks(1, 500)).map(({ certified }) => certified);

  it('founds, commits and proves without a flag or a peer, and QBFT goes on with its chain', async () => {
    const node = await NodeProcess.create({
      name: 'solo',
      dir: folder.dir,
      swap: { consensus: '@it-chain/plugin-solo' },
    });
    nodes.push(node);
    await node.start();
    const { id } = await put(node, 'color', 'blue');
    const { validators } = await node.client.validators();
    expect(validators.validators).to.have.length(1);
    expect((await node.client.leader()).leader).to.equal(node.nodeId);
    const proof = await node.client.proveTransaction(id);
    const { network, genesis } = await node.client.genesis();
    verifyTransactionProof(proof, { network, validators: proof.validators });
    const reached = await verifyChain(Genesis.decode(genesis), await blocksOf(node));
    expect(reached.height).to.be.at.least(1);

    await node.kill();
    await node.start();
    await put(node, 'shape', 'round');
    await node.stop();

    const config = readFileSync(node.configFile, 'utf8');
    writeFileSync(node.configFile, config.replace('plugin-solo', 'plugin-consensus'));
    await node.start();
    await put(node, 'size', 'big');
    await verifyChain(Genesis.decode(genesis), await blocksOf(node));
    expect(Buffer.from((await node.client.kv.get('color')).value ?? []).toString()).to.equal('blue');
  });

  it('ends with the name of the error where the network has two validators', async () => {
    const sections = { p2p: { genesis: { growth: 'immediate' } } };
    const first = await NodeProcess.create({ name: 'first', dir: folder.dir, sections });
    const second = await NodeProcess.create({ name: 'second', dir: folder.dir, sections });
    nodes.push(first, second);
    await first.start();
    await second.start();
    await second.client.join(first.peer);
    await until('two validators', async () => (await second.client.status()).validators === 2, 30_000);
    await second.stop();
    const config = readFileSync(second.configFile, 'utf8');
    const swapped = JSON.parse(config) as { plugins: { use: string; with: object }[] };
    for (const plugin of swapped.plugins) {
      if (plugin.use.endsWith('plugin-consensus')) Object.assign(plugin, { use: '@it-chain/plugin-solo', with: {} });
    }
    writeFileSync(second.configFile, JSON.stringify(swapped));
    await second.launch().catch(() => undefined);
    expect((await second.ended()).code).to.equal(1);
    expect(second.stderr).to.include('ERR_CONSENSUS_NOT_SOLO');
  });
});
