import { expect } from 'chai';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '@it-chain/contracts';
import { NodeProcess, root } from '../support/node-process.js';
import { allValidators, put, sameTip, scratch } from '../support/network.js';

describe('nodes with fixed peers', function () {
  this.timeout(300_000);
  const folder = scratch();
  const nodes: NodeProcess[] = [];
  after(async () => {
    await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
    folder.remove();
  });

  it('are one network from one config, without a join, and survive a restart of one', async () => {
    const keys: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      const swap = { p2p: join(root, 'examples', 'p2p-static'), leveldb: '@it-chain/plugin-memory' };
      // The first two keep their ledger; the third, in memory, catches up anew.
      const kept = name === 'c' ? swap : { p2p: swap.p2p };
      nodes.push(await NodeProcess.create({ name, dir: folder.dir, swap: kept }));
      keys.push(makeKey(join(folder.dir, name)));
    }
    const members = nodes.map(({ name, peer }, index) => ({ name, publicKey: keys[index], address: peer }));
    for (const { configFile } of nodes) {
      const config = JSON.parse(readFileSync(configFile, 'utf8')) as { plugins: { use: string; with: object }[] };
      for (const plugin of config.plugins) {
        if (plugin.use.endsWith('p2p-static')) plugin.with = { network: 'fixed', members };
      }
      writeFileSync(configFile, JSON.stringify(config));
    }
    await Promise.all(nodes.map((node) => node.start()));
    await allValidators(nodes);
    const [first, , third] = nodes as [NodeProcess, NodeProcess, NodeProcess];
    const { height } = await put(first, 'color', 'blue');
    await sameTip(nodes, height);
    await third.kill();
    await put(first, 'shape', 'round');
    await third.start();
    const again = await put(third, 'size', 'big');
    await sameTip(nodes, again.height);
    const refused = await first.client.join(third.peer).catch((error: unknown) => (error as { code?: string }).code);
    expect(refused).to.equal('ERR_JOIN_REFUSED');
    expect((await first.client.peers()).filter(({ connected }) => connected)).to.have.length(2);
  });
});

/** Makes the key of a node before its first start; gives the public key in hex. */
function makeKey(dataDir: string): string {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  writeFileSync(join(dataDir, 'node.key'), privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 });
  return toHex(Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url'));
}
