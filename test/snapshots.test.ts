import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect } from 'chai';
import { KvOperation, keyPairFromSeed, sha256, toHex, utf8 } from '@it-chain/contracts';
import { NodeProcess, root } from './support/node-process.js';
import { put, sameTip, scratch } from './support/network.js';
import { until } from './support/until.js';

const BLOCKS = 120;

/** Runs `chain verify --json`; gives what it printed. */
function verify(node: NodeProcess): Record<string, unknown> {
  const bin = join(root, 'packages', 'cli', 'dist', 'bin.js');
  const args = [bin, 'chain', 'verify', '--config', node.configFile, '--json'];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (stdout.trim() === '') throw new Error(stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('joining from a snapshot', function () {
  this.timeout(600_000);
  const folder = scratch();
  const nodes: NodeProcess[] = [];
  after(async () => {
    await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
    folder.remove();
  });

  it('a new node is at the tip without replaying, has the state, becomes a validator and verifies from its proof on', async () => {
    const source = await NodeProcess.create({
      name: 'source',
      dir: folder.dir,
      sections: {
        chain: { snapshots: { everyBlocks: 20 }, prune: { keepBlocks: 50 } },
        p2p: { genesis: { growth: 'immediate' } },
      },
    });
    nodes.push(source);
    await source.start(['--solo']);
    const keys = keyPairFromSeed(sha256(utf8('feeder')));
    let sent = 0;
    await until(
      `${BLOCKS} blocks`,
      async () => {
        if ((await source.client.status()).height >= BLOCKS) return true;
        const payload = KvOperation.encode({ put: { key: utf8(`k${sent % 40}`), value: utf8(String((sent += 1))) } });
        await source.client.waitForTransaction((await source.client.send(payload, keys)).id, { timeoutMs: 60_000 });
        return false;
      },
      120_000,
    );
    const late = await NodeProcess.create({
      name: 'late',
      dir: folder.dir,
      sections: { consensus: { snapshotAfterBlocks: 20 } },
    });
    nodes.push(late);
    await late.start();
    await late.client.join(source.peer);
    const { height } = await sameTip([source, late], BLOCKS);
    const { base } = await late.client.genesis();
    expect(base?.height).to.be.greaterThan(50);
    // The source has removed what its config does not keep, and is proven from there.
    const own = (await source.client.genesis()).base;
    expect(own?.height).to.be.greaterThan(20);
    expect(verify(source)).to.deep.include({ online: true, problems: [] });
    expect(
      await late.client.blocks(1, 1).then(
        () => 'here',
        (error: unknown) => (error as { code?: string }).code,
      ),
    ).to.not.equal('here');
    for (let index = 0; index < 40; index += 1) {
      const [a, b] = await Promise.all([source.client.kv.get(`k${index}`), late.client.kv.get(`k${index}`)]);
      expect(toHex(b.value ?? new Uint8Array(0))).to.equal(toHex(a.value ?? new Uint8Array(0)));
    }
    await until('it to be a validator', async () => (await late.client.status()).role === 'validator', 60_000);
    const made = await put(late, 'from', 'late');
    expect(made.height).to.be.greaterThan(height);
    expect(verify(late)).to.deep.include({ online: true, problems: [] });
    await late.kill();
    expect(verify(late)).to.deep.include({ online: false, problems: [] });
    await late.start();
    await sameTip([source, late], made.height);
  });
});
