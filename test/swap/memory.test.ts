import { expect } from 'chai';
import { toHex } from '@it-chain/contracts';
import { NodeProcess } from '../support/node-process.js';
import { allValidators, put, sameTip, scratch } from '../support/network.js';

describe('a node whose storage is in memory', function () {
  this.timeout(300_000);
  const folder = scratch();
  const nodes: NodeProcess[] = [];
  after(async () => {
    await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
    folder.remove();
  });

  it('is a validator like any other, loses everything when it is killed, says so, and joins again', async () => {
    const sections = { p2p: { genesis: { growth: 'immediate' } } };
    const lasting = await NodeProcess.create({ name: 'lasting', dir: folder.dir, sections });
    const swap = { leveldb: '@it-chain/plugin-memory' };
    const volatile = await NodeProcess.create({ name: 'volatile', dir: folder.dir, sections, swap });
    nodes.push(lasting, volatile);
    await lasting.start();
    await volatile.start();
    expect(volatile.stderr).to.include('nothing in it survives the end of this process');
    await volatile.client.join(lasting.peer);
    await allValidators(nodes);
    await put(volatile, 'before', '1');
    const { height } = await put(lasting, 'before too', '2');
    const before = await sameTip(nodes, height);

    await volatile.kill();
    await volatile.start();
    expect(await volatile.client.status()).to.include({ role: 'unfounded', height: 0 });
    await volatile.client.join(lasting.peer);
    const after = await sameTip(nodes, before.height);
    expect(after.height).to.be.at.least(before.height);
    // Two of two must vote, so this shows that it votes again.
    const later = await put(lasting, 'after', '3');
    await sameTip(nodes, later.height);
    const [a, b] = await Promise.all(nodes.map((node) => node.client.blocks(1, 500)));
    expect(b?.map(({ digest }) => toHex(digest))).to.deep.equal(a?.map(({ digest }) => toHex(digest)));
    expect(Buffer.from((await volatile.client.kv.get('before')).value ?? []).toString()).to.equal('1');
  });
});
