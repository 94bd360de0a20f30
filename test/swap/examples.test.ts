import { expect } from 'chai';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '@it-chain/contracts';
import { NodeProcess, root } from '../support/node-process.js';
import { scratch } from '../support/network.js';

describe('the example applications', function () {
  this.timeout(300_000);
  const folder = scratch();
  const nodes: NodeProcess[] = [];
  afterEach(() => Promise.all(nodes.map((node) => node.stop('SIGKILL'))));
  after(() => folder.remove());

  const start = async (name: string): Promise<NodeProcess> => {
    const node = await NodeProcess.create({
      name,
      dir: folder.dir,
      application: join(root, 'examples', name),
      swap: { leveldb: '@it-chain/plugin-memory', consensus: '@it-chain/plugin-solo' },
    });
    nodes.push(node);
    return node.start();
  };
  const run = (bin: string, ...args: string[]): { status: number | null; out: string } => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'examples', bin), ...args], {
      encoding: 'utf8',
      cwd: folder.dir,
    });
    return { status, out: stdout + stderr };
  };

  it('token: the client mints, sends what there is, and reads proven balances', async () => {
    const node = await start('token');
    const client = (...args: string[]) => run('token/bin/token.mjs', '--api', node.api, ...args);
    const alice = client('keygen', 'alice.key').out.trim();
    const bob = client('keygen', 'bob.key').out.trim();
    expect(alice).to.match(/^[0-9a-f]{64}$/);
    expect(client('--token', join(node.dataDir, 'api.token'), 'mint', alice, '100')).to.deep.include({ status: 0 });
    expect(client('send', 'alice.key', bob, '30')).to.deep.include({ status: 0 });
    const refused = client('send', 'alice.key', bob, '71');
    expect(refused.status).to.equal(1);
    expect(refused.out).to.include('the balance is 70, less than 71');
    expect(client('balance', bob).out).to.match(/^30 after block/);
    expect(client('supply').out).to.match(/^100 after block/);
  });

  it('notary: the client registers a document, and its proof holds when the node is gone', async () => {
    const node = await start('notary');
    writeFileSync(join(folder.dir, 'deed.txt'), 'I owe you');
    writeFileSync(join(folder.dir, 'forged.txt'), 'I owe you nothing');
    const client = (...args: string[]) => run('notary/bin/notary.mjs', '--api', node.api, ...args);
    expect(client('register', 'deed.txt', '--label', 'the deed')).to.deep.include({ status: 0 });
    expect(client('register', 'deed.txt').out).to.include('registered already');
    const proven = client('prove', 'deed.txt', 'deed.proof');
    expect(proven.status, proven.out).to.equal(0);
    const network = toHex((await node.client.status()).network);
    await node.stop();
    const verified = client('verify', 'deed.txt', 'deed.proof', '--network', network);
    expect(verified.status, verified.out).to.equal(0);
    expect(verified.out).to.match(/^registered by [0-9a-f]{64} in block \d+ at .* the deed\n$/);
    expect(client('verify', 'forged.txt', 'deed.proof', '--network', network).status).to.equal(1);
    expect(client('verify', 'deed.txt', 'deed.proof', '--network', 'ab'.repeat(32)).out).to.include(
      'it is of the network',
    );
  });
});
