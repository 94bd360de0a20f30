import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { malformedStreams, pathOf } from '../evil-node/http2-streams.js';
import { residentMb } from '../support/processes.js';
import { NodeProcess } from '../support/node-process.js';
import { put, scratch } from '../support/network.js';
import { mutate, EDIT_KINDS, type Edit } from './mutate.js';
import { amqpSession } from './amqp-session.js';

/** Inputs per port; a longer run: LIVE_RUNS=500. */
const RUNS = Number(process.env['LIVE_RUNS'] ?? 60);
/** How many are under way at once. */
const WIDTH = 10;
const MAX_MB = 400;

/** Numbers that a seed decides. */
function numbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
}

const noise = (next: () => number, length: number): Buffer => Buffer.from(Array.from({ length }, () => next() & 0xff));

/** Sends bytes, takes what comes, and is gone within a while. */
function send(port: number, bytes: Uint8Array, tls: boolean): Promise<void> {
  return new Promise((resolve) => {
    const socket = tls
      ? connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
      : connect(port, '127.0.0.1');
    socket.once(tls ? 'secureConnect' : 'connect', () => socket.write(bytes));
    socket.setTimeout(300, () => socket.destroy());
    socket.on('error', () => undefined); // Being cut off is what is expected.
    socket.on('close', () => resolve());
    socket.resume();
  });
}

describe('live ports under malformed input', function () {
  this.timeout(600_000);
  const folder = scratch();
  let node: NodeProcess;

  before(async () => {
    node = await NodeProcess.create({ name: 'target', dir: folder.dir });
    await node.start(['--solo']);
  });
  after(async () => {
    await node.stop();
    folder.remove();
  });

  /** Throws inputs at a port while a client goes on working, which must not notice. */
  const attack = async (port: number, input: (index: number) => Uint8Array, tls = false): Promise<void> => {
    for (let from = 0; from < RUNS; from += WIDTH) {
      const wave = Array.from({ length: WIDTH }, (_, offset) => send(port, input(from + offset), tls));
      await Promise.all(wave);
      if (!node.running) throw new Error(`the node ended: ${JSON.stringify(await node.ended())}\n${node.stderr}`);
      await put(node, `key-${port}-${from}`, 'value');
    }
    expect(residentMb(node.pid)).to.be.lessThan(MAX_MB);
    expect(node.stderr).to.not.match(/ERR_INTERNAL|unhandledRejection|uncaughtException|\\n {4}at /);
    await put(node, `after-${port}`, 'alive');
  };

  const api = pathOf('itchain.v1.Node', 'GetStatus');
  const peer = pathOf('itchain.peer.v1.Peer', 'Control');

  for (const [name, path] of [
    ['client API', api],
    ['peers', peer],
  ] as const) {
    it(`${name}: HTTP/2 and gRPC that lie about lengths, compression, headers and methods`, async () => {
      const next = numbers(path.length);
      const streams = malformedStreams(path, (length) => noise(next, length));
      const port = name === 'peers' ? node.peerPort : node.apiPort;
      await attack(port, (index) => streams[index % streams.length] ?? Buffer.alloc(0));
    });

    it(`${name}: noise, before and after a right beginning`, async () => {
      const next = numbers(7);
      const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
      const port = name === 'peers' ? node.peerPort : node.apiPort;
      await attack(port, (index) =>
        index % 2 === 0 ? noise(next, 1 + (index % 3_000)) : Buffer.concat([preface, noise(next, 500)]),
      );
    });
  }

  it('AMQP: wrong headers, frames out of order or too long, strangers, channels and heartbeats without end', async () => {
    const { address } = JSON.parse(readFileSync(join(node.dataDir, 'bus.json'), 'utf8')) as { address: string };
    const port = Number(address.slice(address.lastIndexOf(':') + 1));
    const next = numbers(11);
    const sessions = amqpSession();
    await attack(port, (index) => {
      const whole = sessions[index % sessions.length] ?? Buffer.alloc(0);
      if (index < sessions.length) return whole;
      const edits: Edit[] = Array.from({ length: 1 + (next() % 4) }, () => ({
        kind: EDIT_KINDS[next() % EDIT_KINDS.length] ?? 'flip',
        at: next() % 70_000,
        value: next() % 256,
      }));
      return mutate(whole, edits);
    });
  });
});
