import { nodeIdOf, type PeerFrame } from '@it-chain/contracts';
import { expect } from 'chai';
import { ControlReader } from '../../dist/transport/control-reader.js';
import { handshake } from '../../dist/transport/handshake.js';
import type { PeerLink } from '../../dist/transport/peer-link.js';
import { framesOf, keysOf, lyingDependencies, rawLink, rawListener } from './raw-peer.js';
import { codeOf, nodesOf, realClock, until } from './test-node.js';

describe('the handshake', function () {
  this.timeout(60_000);
  const node = nodesOf();
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });
  const listen = async (onLink: (link: PeerLink) => void, config?: Record<string, unknown>): Promise<string> => {
    const listener = await rawListener(onLink, config);
    closers.push(() => {
      listener.close();
    });
    return listener.address;
  };
  const goodbyeOf = (frames: PeerFrame[]): string | undefined => frames.find(({ goodbye }) => goodbye)?.goodbye?.code;

  it('refuses whoever claims a key that it does not hold, as dialer and as listener', async () => {
    const a = await node('a').accept();
    const liar = lyingDependencies(keysOf('thief'), {
      identity: { nodeId: nodeIdOf(keysOf('b').publicKey), publicKey: keysOf('b').publicKey, name: 'b' },
    });
    const link = await rawLink(a.address);
    const reader = new ControlReader(link, realClock);
    await handshake(link, reader, undefined, liar);
    expect(await codeOf(reader.next())).to.equal('ERR_PEER_HANDSHAKE');

    const address = await listen((inbound) => {
      void handshake(inbound, new ControlReader(inbound, realClock), undefined, liar).catch(() => undefined);
    });
    expect(await codeOf(a.transport.dial({ address }))).to.equal('ERR_PEER_HANDSHAKE');
    expect(a.changes).to.deep.equal([]);
  });

  it('refuses a handshake that was recorded on another connection', async () => {
    const a = await node('a').accept();
    const b = await node('b').accept();
    const recorded: PeerFrame[] = [];
    const address = await listen((link) => {
      const seen = framesOf(link).frames;
      link.send({ challenge: { version: 1, publicKey: b.identity.publicKey, challenge: new Uint8Array(32).fill(1) } });
      void until(() => seen.length >= 2).then(() => recorded.push(...seen.slice(0, 2)));
    });
    void a.transport.dial({ address }).catch(() => undefined);
    await until(() => recorded.length === 2);
    expect(recorded[1]?.proof).to.not.equal(undefined);

    const link = await rawLink(b.address);
    const { frames } = framesOf(link);
    for (const frame of recorded) link.send(frame);
    await until(() => goodbyeOf(frames) !== undefined);
    expect(goodbyeOf(frames)).to.equal('ERR_PEER_HANDSHAKE');
    expect(b.changes).to.deep.equal([]);
  });

  it('refuses its own challenge and proof sent back', async () => {
    const a = await node('a').accept();
    const link = await rawLink(a.address);
    const { frames } = framesOf(link);
    await until(() => frames.length > 0);
    const challenge = frames[0]?.challenge;
    if (challenge === undefined) throw new Error('no challenge');
    link.send({ challenge: { ...challenge, publicKey: keysOf('b').publicKey } });
    await until(() => goodbyeOf(frames) !== undefined);
    expect(goodbyeOf(frames)).to.equal('ERR_PEER_HANDSHAKE');
  });

  it('names another protocol version on both sides', async () => {
    const a = await node('a').accept();
    const challenge = { version: 2, publicKey: keysOf('b').publicKey, challenge: new Uint8Array(32).fill(1) };
    const link = await rawLink(a.address);
    const { frames } = framesOf(link);
    link.send({ challenge });
    await until(() => goodbyeOf(frames) !== undefined);
    expect(goodbyeOf(frames)).to.equal('ERR_PEER_VERSION');

    let told: PeerFrame[] = [];
    const address = await listen((inbound) => {
      told = framesOf(inbound).frames;
      inbound.send({ challenge });
    });
    expect(await codeOf(a.transport.dial({ address }))).to.equal('ERR_PEER_VERSION');
    await until(() => goodbyeOf(told) !== undefined);
    expect(goodbyeOf(told)).to.equal('ERR_PEER_VERSION');
  });

  it('refuses the node itself and another id than the pinned one', async () => {
    const a = await node('a').accept();
    const b = await node('b').accept();
    expect(await codeOf(a.transport.dial({ address: a.address }))).to.equal('ERR_PEER_SELF');
    expect(await codeOf(a.transport.dial({ address: `${a.id}@${b.address}` }))).to.equal('ERR_PEER_SELF');
    const other = nodeIdOf(keysOf('c').publicKey);
    expect(await codeOf(a.transport.dial({ address: `${other}@${b.address}` }))).to.equal('ERR_PEER_WRONG_ID');
    expect([...a.changes, ...b.changes]).to.deep.equal([]);
  });

  it('refuses frames that are not due and hellos that cannot be read', async () => {
    const a = await node('a').accept();
    const early = await rawLink(a.address);
    const seen = framesOf(early).frames;
    early.send({ admit: {} });
    await until(() => goodbyeOf(seen) !== undefined);
    expect(goodbyeOf(seen)).to.equal('ERR_PEER_PROTOCOL');
    expect(a.changes).to.deep.equal([]);
  });

  /** Passes every frame on both ways between a dialer and the node that the dialer wanted. */
  const relay = async (victim: string, tls: 'auto' | 'always'): Promise<string> =>
    listen(
      (near) => {
        void rawLink(victim, { tls }).then((far) => {
          for (const [from, to] of [
            [near, far],
            [far, near],
          ] as const) {
            from.control.listen({
              frame: (frame) => {
                to.send(frame);
              },
              closed: () => {
                to.destroy();
              },
            });
          }
        });
      },
      { tls },
    );

  it('is bound to its TLS connection: a relay that passes everything on gets no session', async () => {
    const a = await node('a', { config: { tls: 'always' } }).accept();
    const b = await node('b', { config: { tls: 'always' } }).accept();
    const address = await relay(b.address, 'always');
    expect(await codeOf(a.transport.dial({ address: `${b.id}@${address}` }))).to.equal('ERR_PEER_HANDSHAKE');
    expect(await a.peers()).to.deep.equal([]);
    expect(await b.peers()).to.deep.equal([]);
    expect([...a.changes, ...b.changes]).to.deep.equal([]);
  });

  it('cannot see the same relay in plaintext, which is therefore for loopback only', async () => {
    const a = await node('a').accept();
    const b = await node('b').accept();
    const address = await relay(b.address, 'auto');
    expect((await a.transport.dial({ address: `${b.id}@${address}` })).nodeId).to.equal(b.id);
  });

  it('refuses plaintext where TLS is due, and tells why', async () => {
    const a = await node('a', { config: { tls: 'always' } }).accept();
    const b = node('b');
    expect(await codeOf(b.transport.dial({ address: a.address }))).to.equal('ERR_PEER_INSECURE');
    expect(a.changes).to.deep.equal([]);
  });

  it('names the cause where nobody answers or something else does', async () => {
    const a = await node('a').accept();
    const closed = await rawListener(() => undefined);
    closed.close();
    expect(await codeOf(a.transport.dial({ address: closed.address }))).to.equal('ERR_PEER_UNREACHABLE');
    expect(await codeOf(a.transport.dial({ address: 'no such address' }))).to.equal('ERR_PEER_ADDRESS');
  });

  it('is refused while the door is not open, and after it closed', async () => {
    const a = await node('a').accept();
    const b = await node('b').accept();
    const { address } = b;
    await a.transport.dial({ address });
    await until(() => b.connected.length === 1);
    await b.close();
    await until(() => a.gone.length === 1);
    expect(a.gone[0]).to.include({ nodeId: b.id, code: 'ERR_PEER_STOPPING' });
    expect(b.changes).to.deep.equal([`+${a.id}`, `-${a.id}`]);
    expect(await codeOf(a.transport.dial({ address }))).to.equal('ERR_PEER_UNREACHABLE');
    expect(await codeOf(b.transport.dial({ address: a.address }))).to.equal('ERR_PEER_STOPPING');
  });
});
