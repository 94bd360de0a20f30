import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { KvOperation, hasCode, keyPairFromSeed, sha256, toHex, utf8, type ItChainError } from '@it-chain/contracts';
import { NodeProcess } from './support/node-process.js';
import { put, sameTip, scratch, startNetwork, type Network } from './support/network.js';
import { until } from './support/until.js';

const keys = keyPairFromSeed(sha256(utf8('hostile')));

/** Sends bytes to a port and waits until the other side closes, or a while has passed. */
function throwAt(port: number, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setTimeout(500, () => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
  });
}

function pseudoRandom(seed: number, length: number): Uint8Array {
  const bytes = Buffer.alloc(length);
  let state = seed >>> 0 || 1;
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

const failureOf = async (work: Promise<unknown>): Promise<ItChainError> => {
  try {
    await work;
  } catch (error) {
    return error as ItChainError;
  }
  throw new Error('it was accepted');
};

describe('hostile input', function () {
  this.timeout(600_000);
  const folder = scratch();
  let network: Network;
  let nodes: readonly NodeProcess[];
  before(async () => {
    network = await startNetwork(3);
    nodes = network.nodes;
  });
  after(async () => {
    await network.remove();
    folder.remove();
  });

  /** The node and its peers are as they were. */
  const undisturbed = async (): Promise<void> => {
    const { height } = await put(nodes[0]!, `still-${Date.now()}`, 'alive');
    await sameTip(nodes, height);
    for (const node of nodes) expect((await node.client.status()).peers).to.equal(2);
  };

  it('a node of another network is refused by both sides with ERR_DIFFERENT_NETWORK, and nothing changes', async () => {
    const stranger = await NodeProcess.create({ name: 'stranger', dir: folder.dir });
    await stranger.start(['--solo']);
    await put(stranger, 'own', 'network');
    const before = await stranger.client.status();
    const error = await failureOf(stranger.client.join(nodes[0]!.peer));
    expect(error.code).to.equal('ERR_DIFFERENT_NETWORK');
    expect(error.message).to.match(/network/);
    const after = await stranger.client.status();
    expect(toHex(after.network)).to.equal(toHex(before.network));
    await put(stranger, 'goes', 'on');
    await until('the refusal in the log of the dialled node', () => nodes[0]!.stderr.includes('ERR_DIFFERENT_NETWORK'));
    await undisturbed();
    await stranger.stop();
  });

  it('garbage on every port leaves the node and its peers undisturbed', async () => {
    const bus = JSON.parse(readFileSync(join(nodes[0]!.dataDir, 'bus.json'), 'utf8')) as Record<string, unknown>;
    const busPort = Number(/:(\d+)/.exec(JSON.stringify(bus))?.[1]);
    const ports = [nodes[0]!.peerPort, nodes[0]!.apiPort, busPort].filter((port) => port > 0);
    expect(ports).to.have.length(3);
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    const throwAll = async (port: number): Promise<void> => {
      for (let round = 0; round < 12; round += 1) {
        const noise = pseudoRandom(port + round, 1 + round * 400);
        await Promise.all([
          throwAt(port, noise),
          throwAt(port, Buffer.concat([preface, noise])),
          throwAt(port, Buffer.concat([Buffer.from('AMQP\x00\x00\x09\x01', 'latin1'), noise])),
          throwAt(port, Buffer.from(`GET /${'a'.repeat(round * 1_000)} HTTP/1.1\r\n\r\n`)),
        ]);
      }
    };
    await Promise.all(ports.map(throwAll));
    await undisturbed();
  });

  it('a forged signature, a foreign network, a changed byte and an oversize transaction are refused with their codes', async () => {
    const node = nodes[1]!;
    const good = await node.client.sign(KvOperation.encode({ put: { key: utf8('a'), value: utf8('b') } }), keys);
    const forged = Uint8Array.from(good.encoded);
    forged[forged.length - 1] = (forged[forged.length - 1] ?? 0) ^ 1;
    const foreign = Uint8Array.from(good.encoded);
    // Field 2 holds the network: two bytes of version, two of key and length before it.
    foreign[10] = (foreign[10] ?? 0) ^ 1;
    const large = await node.client.sign(
      KvOperation.encode({ put: { key: utf8('a'), value: new Uint8Array(200_000) } }),
      keys,
    );
    const results = await node.client.submit([forged, foreign, large.encoded, good.encoded.subarray(1)]);
    expect(results.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected', 'rejected', 'rejected']);
    expect(results.map(({ code }) => code)).to.deep.equal([
      'ERR_TX_SIGNATURE',
      'ERR_TX_DIFFERENT_NETWORK',
      'ERR_TX_TOO_LARGE',
      'ERR_TX_MALFORMED',
    ]);
    for (const { hint, reason } of results) expect(hint + reason).to.not.equal('');
    await undisturbed();
  });

  it('a message larger than the limit is refused, and the next one is answered', async () => {
    const error = await failureOf(nodes[0]!.client.submit([new Uint8Array(5 * 1024 * 1024)]));
    expect(error.code).to.match(/^ERR_/);
    await undisturbed();
  });

  it('a full pool refuses the client that fills it, by code, and takes again once there is room', async () => {
    const small = await NodeProcess.create({ name: 'small', dir: folder.dir, sections: { txpool: { maxCount: 10 } } });
    await small.start();
    const payload = (index: number): Uint8Array =>
      KvOperation.encode({ put: { key: utf8(`k${index}`), value: utf8('v') } });
    const codes: string[] = [];
    for (let index = 0; index < 12; index += 1) {
      try {
        codes.push((await small.client.send(payload(index), keys)).code);
      } catch (error) {
        codes.push(hasCode(error, 'ERR_TXPOOL_FULL') ? 'ERR_TXPOOL_FULL' : String(error));
      }
    }
    expect(codes.slice(0, 10).every((code) => code === '')).to.equal(true);
    expect(codes.slice(10)).to.deep.equal(['ERR_TXPOOL_FULL', 'ERR_TXPOOL_FULL']);
    await small.stop();
    await small.start(['--solo']);
    await until('room in the pool', async () => (await small.client.status()).pool.count === 0);
    await put(small, 'room', 'again');
    await small.stop();
  });
});
