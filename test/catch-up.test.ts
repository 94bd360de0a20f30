import { expect } from 'chai';
import { KvOperation, keyPairFromSeed, sha256, toHex, utf8 } from '@it-chain/contracts';
import { NodeProcess } from './support/node-process.js';
import { sameTip, scratch, startNetwork, type Network } from './support/network.js';
import { until } from './support/until.js';

const BLOCKS = 1_000;

describe('catching up', function () {
  this.timeout(1_800_000);
  const folder = scratch();
  let network: Network;
  before(async () => {
    network = await startNetwork(4);
  });
  after(async () => {
    await network.remove();
    folder.remove();
  });

  it(`a node that was down for ${BLOCKS} blocks catches up by certificates, and so does one that joins late`, async () => {
    const { nodes } = network;
    const absent = nodes[3]!;
    const feeder = nodes[0]!;
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

    const late = await NodeProcess.create({ name: 'late', dir: folder.dir });
    await late.start();
    await late.client.join(nodes[1]!.peer);
    await sameTip([...nodes.slice(0, 3), late], from + BLOCKS);
    const [a, b] = await Promise.all([feeder.client.block(from + 500), late.client.block(from + 500)]);
    expect(toHex(a.digest)).to.equal(toHex(b.digest));
    await late.stop();
  });
});
