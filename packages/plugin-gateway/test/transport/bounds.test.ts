import { connect as netConnect, type Socket } from 'node:net';
import { randomBytes } from 'node:crypto';
import { PEER_CHUNK_BYTES } from '@it-chain/contracts';
import { expect } from 'chai';
import { parseEndpoint } from '../../dist/transport/address.js';
import { encodeFrame } from '../../dist/transport/peer-messages.js';
import { framesOf, rawLink, rawSession } from './raw-peer.js';
import { codeOf, nodesOf, realClock, until } from './test-node.js';

const MiB = 1024 * 1024;

describe('bounds of the peer port', function () {
  this.timeout(120_000);
  const node = nodesOf();
  const sockets: Socket[] = [];
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });
  /** A connection that speaks no protocol at all. */
  const socketTo = (address: string): { socket: Socket; closed: () => boolean } => {
    const endpoint = parseEndpoint(address);
    if (endpoint === undefined) throw new Error(address);
    const socket = netConnect(endpoint);
    sockets.push(socket);
    let closed = false;
    socket.on('error', () => undefined);
    socket.on('close', () => {
      closed = true;
    });
    socket.resume();
    return { socket, closed: () => closed };
  };

  it('garbage, silence, half preambles and single bytes end within the limit, and honest peers do not notice', async () => {
    const a = await node('a', { config: { limits: { handshakeMs: 400, pending: 16 } } }).accept();
    const b = await node('b').accept();
    await b.transport.dial({ address: a.address });
    const strangers = Array.from({ length: 60 }, () => socketTo(a.address));
    strangers.forEach(({ socket }, index) => {
      if (index % 5 === 0) socket.write(randomBytes(1_000));
      if (index % 5 === 1) socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
      if (index % 5 === 2) socket.write(Buffer.from([0x16, 3, 1, 2, 0]));
      if (index % 5 === 3) socket.write('GET / HTTP/1.1\r\n\r\n');
    });
    const slow = socketTo(a.address);
    const drip = [...Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')];
    const stop = realClock.every(30, () => {
      const byte = drip.shift();
      if (byte !== undefined && !slow.socket.destroyed) slow.socket.write(Buffer.from([byte]));
    });
    // In the middle of it an honest node gets in, although the strangers hold more than all pending places.
    const c = await node('c').accept();
    await c.transport.dial({ address: a.address });
    await until(() => strangers.every(({ closed }) => closed()) && slow.closed(), 'the strangers to be gone');
    stop();
    expect((await a.deliver('x', new Uint8Array(1))).peers).to.equal(2);
    await until(() => b.received.length === 1 && c.received.length === 1);
    expect([...b.gone, ...c.gone]).to.deep.equal([]);
  });

  it('a handshake that stops halfway ends within its limit', async () => {
    const a = await node('a', { config: { limits: { handshakeMs: 200 } } }).accept();
    const link = await rawLink(a.address);
    const { frames, closed } = framesOf(link);
    link.send({ challenge: { version: 1, publicKey: randomBytes(32), challenge: randomBytes(32) } });
    await until(closed);
    expect(frames.at(-1)?.goodbye?.code).to.equal('ERR_PEER_TIMEOUT');
  });

  it('one stranger address holds few pending places', async () => {
    const { PendingConnections } = await import('../../dist/transport/pending-connections.js');
    const pending = new PendingConnections({ pending: 10, pendingPerAddress: 2, handshakeMs: 60_000 }, realClock);
    const destroyed: number[] = [];
    const add = (index: number, remote: string) => pending.add({ destroy: () => destroyed.push(index) }, remote);
    expect(add(0, '10.0.0.1')).to.not.equal(undefined);
    const second = add(1, '10.0.0.1');
    expect(add(2, '10.0.0.1')).to.equal(undefined);
    second?.done();
    expect(add(3, '10.0.0.1')).to.not.equal(undefined);
    for (let index = 4; index < 14; index += 1) add(index, '127.0.0.1');
    expect(pending.size).to.equal(10);
    expect(destroyed).to.deep.equal([0, 3]);
    pending.destroy();
  });

  it('a message past the limit ends the session, and is refused before it is sent', async () => {
    const a = await node('a').accept();
    const { link, id } = await rawSession(a.address, 'evil');
    await until(() => a.connected.length === 1);
    const { frames } = framesOf(link);
    const head = { type: 'message', kind: 'x', id: 0, timeoutMs: 0, errorCode: '', errorMessage: '' } as const;
    link.send({ start: { ...head, size: 4 * MiB + 1, data: new Uint8Array(1) } });
    await until(() => a.gone.length === 1);
    expect(a.gone[0]).to.include({ nodeId: id, code: 'ERR_PEER_TOO_LARGE' });
    await until(() => frames.some(({ goodbye }) => goodbye?.code === 'ERR_PEER_TOO_LARGE'));
    expect(() => a.deliver('x', new Uint8Array(4 * MiB + 1)))
      .to.throw()
      .with.property('code', 'ERR_PEER_TOO_LARGE');
  });

  it('a frame past the limit and bytes that are no frame end the session', async () => {
    const a = await node('a').accept();
    for (const [bytes, code] of [
      [Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]), 'ERR_PEER_TOO_LARGE'],
      [Buffer.from([1, 0, 0, 0, 0]), 'ERR_PEER_PROTOCOL'],
      [Buffer.from([0, 0, 0, 0, 2, 0xff, 0xff]), 'ERR_PEER_PROTOCOL'],
    ] as const) {
      const count = a.gone.length;
      const { link } = await rawSession(a.address, 'evil');
      link.bulk.write(bytes);
      await until(() => a.gone.length === count + 1);
      expect(a.gone.at(-1)?.code).to.equal(code);
    }
  });

  it('five breaches ban the node, which is told so', async () => {
    const a = await node('a').accept();
    for (let round = 1; round <= 5; round += 1) {
      const { link } = await rawSession(a.address, 'evil');
      link.send({ more: { data: new Uint8Array(1) } });
      await until(() => a.gone.length === round);
    }
    expect(await codeOf(rawSession(a.address, 'evil'))).to.equal('ERR_PEER_BANNED');
    expect(a.log.of('warn')).to.deep.equal(['a peer is banned']);
    const b = node('b');
    await b.transport.dial({ address: a.address });
  });

  it('a peer that reads nothing costs its budget and nobody else, then the session', async () => {
    const a = await node('a', { config: { limits: { stallMs: 3_000, pingMs: 100 } } }).accept();
    const b = await node('b').accept();
    const { link, id } = await rawSession(a.address, 'lazy');
    await b.transport.dial({ address: a.address });
    link.control.listen({
      frame: ({ ping }) => {
        if (ping) link.send({ pong: ping });
      },
      closed: () => undefined,
    });
    await until(() => a.connected.length === 2);
    const body = new Uint8Array(MiB);
    let accepted = 0;
    while ((await a.deliver('blocks', body, 'bulk', [id])).peers === 1) accepted += 1;
    expect(accepted).to.be.within(6, 8);
    const code = await codeOf(a.transport.fetch({ peer: id, kind: 'blocks', body }));
    expect(code).to.equal('ERR_PEER_BUSY');
    // The other peer gets everything meanwhile, and control still has its share.
    for (let sent = 0; sent < 12;) {
      sent += (await a.deliver('blocks', body, 'bulk', [b.id])).peers;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => b.received.length === 12, 'the bulk of the other peer');
    expect((await a.deliver('consensus', new Uint8Array(1), 'control', [id])).peers).to.equal(1);
    await until(() => a.gone.length === 1, 'the stalled session to end');
    expect(a.gone[0]).to.include({ nodeId: id, code: 'ERR_PEER_BUSY' });
  });

  it('control past the whole budget ends the session', async () => {
    const a = await node('a').accept();
    const { id } = await rawSession(a.address, 'lazy');
    await until(() => a.connected.length === 1);
    for (let sent = 0; sent < 12 && a.gone.length === 0; sent += 1) await a.deliver('consensus', new Uint8Array(MiB));
    expect(a.gone[0]).to.include({ nodeId: id, code: 'ERR_PEER_BUSY' });
  });

  it('control overtakes bulk, and each lane keeps its order', async () => {
    const a = await node('a').accept();
    const b = await node('b').accept();
    await a.transport.dial({ address: b.address });
    await until(() => b.connected.length === 1);
    for (let index = 0; index < 6; index += 1) {
      expect((await a.deliver('blocks', new Uint8Array(MiB).fill(index), 'bulk')).peers).to.equal(1);
    }
    for (let index = 0; index < 6; index += 1) await a.deliver('consensus', new Uint8Array([index]));
    await until(() => b.received.length === 12);
    const order = (kind: string) => b.received.filter((one) => one.kind === kind).map(({ body }) => body[0]);
    expect(order('blocks')).to.deep.equal([0, 1, 2, 3, 4, 5]);
    expect(order('consensus')).to.deep.equal([0, 1, 2, 3, 4, 5]);
    expect(b.received.every(({ body }) => body.length === 1 || body.every((byte) => byte === body[0]))).to.equal(true);
    const votes = b.received.findIndex(({ kind, body }) => kind === 'consensus' && body[0] === 5);
    expect(votes, 'the last vote before the last block').to.be.lessThan(11);
    expect(b.received.at(-1)?.kind).to.equal('blocks');
  });

  it('a flood is read at the rate that is allowed, and nothing is lost', async () => {
    const a = await node('a', { config: { limits: { framesPerSecond: 500, deadMs: 300, pingMs: 50 } } }).accept();
    const { link } = await rawSession(a.address, 'eager');
    await until(() => a.connected.length === 1);
    framesOf(link);
    const head = { type: 'message', kind: 'x', id: 0, timeoutMs: 0, errorCode: '', errorMessage: '' } as const;
    const frame = encodeFrame({ start: { ...head, size: 1, data: new Uint8Array(1) } });
    const started = realClock.monotonic();
    for (let sent = 0; sent < 1_000; sent += 1) link.bulk.write(frame);
    await until(() => a.received.length === 1_000);
    // The first second's worth goes at once, the second one takes its second. Never less: that is the limit.
    expect(realClock.monotonic() - started).to.be.greaterThan(900);
    expect(a.gone).to.deep.equal([]);
  });

  it('requests are bounded in number and time, and errors cross with their code', async () => {
    const a = await node('a', { config: { limits: { fetches: 2 } } }).accept();
    const b = await node('b', { config: { limits: { fetches: 2 } } }).accept();
    await a.transport.dial({ address: b.address });
    await until(() => b.connected.length === 1);
    const ask = (timeoutMs = 20_000) =>
      a.transport.fetch({ peer: b.id, kind: 'blocks', body: new Uint8Array(1) }, { timeoutMs });
    const [first, second] = [codeOf(ask()), codeOf(ask())];
    await until(() => b.asked.length === 2);
    expect(await codeOf(ask())).to.equal('ERR_PEER_BUSY');
    const answer = (index: number, errorCode: string, body = new Uint8Array(0)) =>
      b.transport.answer({ requestId: b.asked[index]?.requestId ?? '', body, errorCode, errorMessage: 'no' });
    await answer(0, 'ERR_JOIN_REFUSED');
    await answer(1, '', new Uint8Array(2 * PEER_CHUNK_BYTES));
    expect([await first, await second]).to.deep.equal(['ERR_JOIN_REFUSED', 'no failure']);
    expect(() => answer(0, ''))
      .to.throw()
      .with.property('code', 'ERR_PEER_TIMEOUT');
    expect(() => b.transport.answer({ requestId: '99.1', body: new Uint8Array(0), errorCode: '', errorMessage: '' }))
      .to.throw()
      .with.property('code', 'ERR_PEER_NOT_CONNECTED');
    // Nobody answers: the peer is well and says so.
    expect(await codeOf(ask(300))).to.equal('ERR_PEER_NO_ANSWER');
    const giveUp = new AbortController();
    const given = codeOf(
      a.transport.fetch(
        { peer: b.id, kind: 'x', body: new Uint8Array(0) },
        { timeoutMs: 20_000, signal: giveUp.signal },
      ),
    );
    giveUp.abort();
    expect(await given).to.equal('ERR_PEER_TIMEOUT');
  });
});
