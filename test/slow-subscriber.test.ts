import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { connect, constants, type ClientHttp2Session } from 'node:http2';
import { KvOperation, NodeService, keyPairFromSeed, sha256, utf8 } from '@it-chain/contracts';
import { NodeProcess } from './support/node-process.js';
import { scratch } from './support/network.js';
import { until } from './support/until.js';

const BLOCKS = 24;
const VALUE_BYTES = 100_000;

describe('G3: a subscriber that never reads', function () {
  this.timeout(600_000);
  const folder = scratch();
  const deaf: ClientHttp2Session[] = [];
  let node: NodeProcess;

  before(async () => {
    const api = { subscriber: { maxBytes: 64 * 1024, stalledMs: 500 } };
    node = await NodeProcess.create({
      name: 'followed',
      dir: folder.dir,
      args: ['--solo'],
      sections: { gateway: { api } },
    });
    await node.start();
  });
  after(async () => {
    for (const session of deaf) session.destroy();
    await node.stop();
    folder.remove();
  });

  it('is cut, holds no more memory than its bound, and disturbs nobody', async () => {
    const keys = keyPairFromSeed(sha256(utf8('a busy client')));
    // One that reads, to show that it gets everything.
    const heights: number[] = [];
    const stop = new AbortController();
    const reading = (async () => {
      for await (const { height } of node.client.followBlocks(1, { signal: stop.signal })) heights.push(height);
    })();
    for (let index = 0; index < 10; index += 1) deaf.push(openAndNeverRead());
    await until('all of them are followed', async () => (await streams()) === 11, 30_000);
    const before = residentMiB();
    let height = 0;
    for (let index = 0; index < BLOCKS; index += 1) {
      const value = new Uint8Array(VALUE_BYTES).fill(index);
      const sent = await node.client.send(KvOperation.encode({ put: { key: utf8(`key ${index}`), value } }), keys);
      const final = await node.client.waitForTransaction(sent.id, { timeoutMs: 120_000 });
      height = final.height ?? 0;
    }
    await until(
      'the one that reads has every block',
      () => heights.at(-1) !== undefined && heights.at(-1)! >= height,
      30_000,
    );
    expect(heights).to.deep.equal(heights.map((_, index) => index + 1));
    await until('the others are cut', async () => (await streams()) === 1, 60_000);
    // Had they been served without a bound, ten times 2.4 MB would wait for them beside what the blocks themselves take.
    expect(residentMiB() - before).to.be.lessThan(150);
    stop.abort();
    await reading;
  });

  /** A gRPC call of FollowBlocks over bare HTTP/2 whose answers are never read, so that its window stays shut. */
  function openAndNeverRead(): ClientHttp2Session {
    const session = connect(`http://${node.api}`);
    session.on('error', () => undefined);
    const { in: request, name } = NodeService.methods.followBlocks;
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: `/${NodeService.fullName}/${name}`,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => undefined);
    const body = request.encode({ from: 1 });
    const frame = Buffer.alloc(5 + body.length);
    frame.writeUInt32BE(body.length, 1);
    frame.set(body, 5);
    stream.end(frame);
    return session;
  }

  /** Streams that the node answers now, by its own metrics. */
  async function streams(): Promise<number> {
    const line = /^\w*gateway_streams(?:\{[^}]*\})? (\d+)/m.exec(await node.client.metrics());
    return Number(line?.[1] ?? -1);
  }

  function residentMiB(): number {
    const [, kib = '0'] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${node.pid}/status`, 'utf8')) ?? [];
    return Number(kib) / 1024;
  }
});
