import { expect } from 'chai';
import { Cable } from './raw-peer.js';
import { codeOf, nodesOf, until, type TestNode } from './test-node.js';

const QUICK = { pingMs: 50, deadMs: 300, probeMs: 200 };

describe('one session per pair', function () {
  this.timeout(120_000);
  const node = nodesOf();
  const cables: Cable[] = [];
  afterEach(() => {
    for (const cable of cables.splice(0)) cable.cut();
  });
  const cable = (): Cable => {
    const made = new Cable();
    cables.push(made);
    return made;
  };

  /** Both see the same one session, and it works both ways. */
  const expectOne = async (a: TestNode, b: TestNode): Promise<void> => {
    expect(await a.peers()).to.deep.equal([b.id]);
    expect(await b.peers()).to.deep.equal([a.id]);
    const before = [a.received.length, b.received.length];
    expect((await a.deliver('consensus', new Uint8Array([1]))).peers).to.equal(1);
    expect((await b.deliver('consensus', new Uint8Array([2]))).peers).to.equal(1);
    await until(() => a.received.length > (before[0] ?? 0) && b.received.length > (before[1] ?? 0), 'both messages');
    const [mine, theirs] = [await a.transport.sessions(), await b.transport.sessions()];
    const directions = [mine.sessions[0]?.direction, theirs.sessions[0]?.direction];
    expect(directions.sort()).to.deep.equal(['inbound', 'outbound']);
  };

  it('comes out of 50 simultaneous dials, told once on each side', async () => {
    const names = ['a', 'b'];
    for (let round = 0; round < 50; round += 1) {
      const [a, b] = (await Promise.all(names.map((name) => node(`${name}${round}`).accept()))) as [TestNode, TestNode];
      const [to, from] = await Promise.all([
        a.transport.dial({ address: b.address }),
        b.transport.dial({ address: a.address }),
      ]);
      expect([to.nodeId, from.nodeId], `round ${round}`).to.deep.equal([b.id, a.id]);
      await expectOne(a, b);
      expect(a.changes, `round ${round}`).to.deep.equal([`+${b.id}`]);
      expect(b.changes, `round ${round}`).to.deep.equal([`+${a.id}`]);
      await Promise.all([a.close(), b.close()]);
    }
  });

  it('is found, not doubled, by a second dial', async () => {
    const a = await node('a').accept();
    const b = await node('b').accept();
    const first = await a.transport.dial({ address: b.address });
    const [again, pinned, back] = await Promise.all([
      a.transport.dial({ address: b.address }),
      a.transport.dial({ address: `${b.id}@127.0.0.1:1` }),
      b.transport.dial({ address: a.address }),
    ]);
    expect([again.since, pinned.since]).to.deep.equal([first.since, first.since]);
    expect(back.nodeId).to.equal(a.id);
    await expectOne(a, b);
    expect([...a.changes, ...b.changes]).to.deep.equal([`+${b.id}`, `+${a.id}`]);
  });

  it('gives way to a newer connection when its own has gone silent, whichever node decides', async () => {
    for (const [x, y] of [
      ['a', 'b'],
      ['b', 'a'],
    ] as const) {
      const limits = { probeMs: 200 };
      const dialer = await node(x, { config: { limits: { ...limits, pingMs: 50, deadMs: 300 } } }).accept();
      const other = await node(y, { config: { limits } }).accept();
      const line = cable();
      const address = await line.lay(other.address);
      await dialer.transport.dial({ address });
      await until(() => other.connected.length === 1);
      line.deaf = true;
      // The dialer finds out by itself; the other one still believes in the old session when the new one comes.
      await until(() => dialer.gone.length === 1, 'the dialer to notice');
      expect(dialer.gone[0]?.code).to.equal('ERR_PEER_TIMEOUT');
      expect(other.gone).to.deep.equal([]);
      await dialer.transport.dial({ address: other.address });
      await until(() => other.connected.length === 2, 'the new session');
      await expectOne(dialer, other);
      expect(other.gone.map(({ code }) => code)).to.deep.equal(['ERR_PEER_REPLACED']);
      expect(other.changes).to.deep.equal([`+${dialer.id}`, `-${dialer.id}`, `+${dialer.id}`]);
      await Promise.all([dialer.close(), other.close()]);
    }
  });

  it('ends on both sides when the line goes silent, and not when there is just nothing to say', async () => {
    const a = await node('a', { config: { limits: QUICK } }).accept();
    const b = await node('b', { config: { limits: QUICK } }).accept();
    const line = cable();
    await a.transport.dial({ address: await line.lay(b.address) });
    await until(() => b.connected.length === 1);
    // Nothing but signs of life: at most four pieces in each 50 ms, so these take several times `deadMs`.
    const before = line.passed;
    await until(() => line.passed >= before + 100, 'signs of life');
    expect([...a.gone, ...b.gone]).to.deep.equal([]);
    line.deaf = true;
    await until(() => a.gone.length === 1 && b.gone.length === 1, 'both to notice');
    expect([a.gone[0]?.code, b.gone[0]?.code]).to.deep.equal(['ERR_PEER_TIMEOUT', 'ERR_PEER_TIMEOUT']);
  });

  it('ends with ERR_PEER_LOST when the connection breaks, and what was asked fails', async () => {
    const a = await node('a').accept();
    const b = await node('b').accept();
    const line = cable();
    await a.transport.dial({ address: await line.lay(b.address) });
    await until(() => b.connected.length === 1);
    const asked = codeOf(a.transport.fetch({ peer: b.id, kind: 'blocks', body: new Uint8Array(1) }));
    await until(() => b.asked.length === 1);
    line.cut();
    expect(await asked).to.equal('ERR_PEER_NOT_CONNECTED');
    await until(() => a.gone.length === 1 && b.gone.length === 1);
    expect([a.gone[0]?.code, b.gone[0]?.code]).to.deep.equal(['ERR_PEER_LOST', 'ERR_PEER_LOST']);
  });

  it('is bounded in number, both ways', async () => {
    const a = await node('a', { config: { limits: { inbound: 1, outbound: 1 } } }).accept();
    const [b, c, d] = (await Promise.all(['b', 'c', 'd'].map((name) => node(name).accept()))) as [
      TestNode,
      TestNode,
      TestNode,
    ];
    await b.transport.dial({ address: a.address });
    expect(await codeOf(c.transport.dial({ address: a.address }))).to.equal('ERR_PEER_LIMIT');
    await a.transport.dial({ address: c.address });
    expect(await codeOf(a.transport.dial({ address: d.address }))).to.equal('ERR_PEER_LIMIT');
    expect((await a.peers()).sort()).to.deep.equal([b.id, c.id].sort());
  });

  it('reaches three nodes at once, or the ones that are named', async () => {
    const [a, b, c] = (await Promise.all(['a', 'b', 'c'].map((name) => node(name).accept()))) as [
      TestNode,
      TestNode,
      TestNode,
    ];
    await a.transport.dial({ address: b.address });
    await a.transport.dial({ address: c.address });
    expect(await a.deliver('x', new Uint8Array([1]))).to.deep.equal({ peers: 2 });
    expect(await a.deliver('y', new Uint8Array([2]), 'bulk', [c.id, c.id, 'nobody'])).to.deep.equal({ peers: 1 });
    await until(() => b.received.length === 1 && c.received.length === 2);
    expect(b.received.map(({ kind }) => kind)).to.deep.equal(['x']);
  });
});
