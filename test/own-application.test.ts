import { expect } from 'chai';
import { join } from 'node:path';
import { keyPairFromSeed, sha256, toHex, utf8 } from '@it-chain/contracts';
import { NodeProcess, root } from './support/node-process.js';
import { scratch } from './support/network.js';

describe('a plugin given by path', function () {
  this.timeout(300_000);
  const folder = scratch();
  let node: NodeProcess;
  after(async () => {
    await node.stop();
    folder.remove();
  });

  it('replaces the default application', async () => {
    node = await NodeProcess.create({
      name: 'own',
      dir: folder.dir,
      application: join(root, 'test', 'fixtures', 'counter.mjs'),
      args: ['--solo'],
    });
    await node.start();
    const keys = keyPairFromSeed(sha256(utf8('sender')));
    for (let index = 1; index <= 3; index += 1) {
      const sent = await node.client.send(utf8(`anything ${index}`), keys);
      const final = await node.client.waitForTransaction(sent.id, { timeoutMs: 60_000 });
      expect(final.status).to.equal('committed');
      expect(Buffer.from(final.receipt?.output ?? []).toString()).to.equal(String(index));
    }
    const answer = await node.client.query('counts', new Uint8Array(0));
    expect(JSON.parse(Buffer.from(answer.data).toString())).to.deep.equal({ [toHex(keys.publicKey)]: 3 });
    const plugins = (await node.client.status()).plugins;
    expect(plugins.find(({ role }) => role === 'application')?.name).to.equal('counter');
  });
});
