import { expect } from 'chai';
import { KvOperation, keyPairFromSeed, sha256, toHex, utf8 } from '@it-chain/contracts';
import { NodeProcess } from './support/node-process.js';
import { allValidators, put, sameTip, scratch } from './support/network.js';
import { until } from './support/until.js';

const BLOCKS = 1_000;

// One validator makes the blocks: catching up is the same whoever made them, and four take four times as long.
// test/restarts.test.ts catches up by certificates of three.
describe('catching up', function () {
  this.timeout(1_800_000);
  const folder = scratch();
  const nodes: NodeProcess[] = [];
  const sections = { p2p: { genesis: { growth: 'skip-two' } } };
  const start = async (name: string, ...args: string[]): Promise<NodeProcess> => {
    const node = await NodeProcess.create({ name, dir: folder.dir, sections });
    nodes.push(node);
    return node.start(args);
  };
  after(async () => {
    await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
    folder.remove();
  });

  it(`a node that was down for ${BLOCKS} blocks catches up by certificates, and so does one that joins late`, async () => {
    const feeder = await start('feeder', '--solo');
    const absent = await start('absent');
    await absent.client.join(feeder.peer);
    await until('a learner', async () => (await absent.client.status()).role === 'learner', 30_000);
    const from = (await absent.client.status()).height;
    await absent.kill();
    const keys = keyPairFromSeed(sha256(utf8('feeder')));
    // One transaction at a time while the height has not moved on: many small blocks.
    let sent = 0;
    await until(
      `${BLOCKS} more blocks`,
      async () => {
        const { height } = await feeder.client.status();
        if (height >= from + BLOCKS) return true;
        for (let index = 0; index < 10; index += 1) {
          const payload = KvOperation.encode({ put: { key: utf8(`k${sent % 100}`), value: utf8(String(sent)) } });
          await feeder.client.send(payload, keys);
          sent += 1;
        }
        return false;
      },
      120_000,
    );
    await absent.start();
    await sameTip(nodes, from + BLOCKS);

    const late = await start('late');
    await late.client.join(feeder.peer);
    await sameTip(nodes, from + BLOCKS);
    const [a, b] = await Promise.all([feeder.client.block(from + 500), late.client.block(from + 500)]);
    expect(toHex(a.digest)).to.equal(toHex(b.digest));
    // Both have caught up, so both vote, and go on together.
    await allValidators(nodes);
    await put(late, 'after', 'catching up');
    await sameTip(nodes, from + BLOCKS);
  });
});
