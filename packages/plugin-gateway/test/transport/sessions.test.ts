import { expect } from 'chai';
import { codeOf, nodesOf, until } from './test-node.js';

describe('peer sessions', function () {
  this.timeout(60_000);
  const node = nodesOf();

  for (const tls of ['auto', 'always'] as const) {
    it(`open, deliver, fetch and end (tls: ${tls})`, async () => {
      const a = await node('a', { config: { tls } }).accept();
      const b = await node('b', { config: { tls } }).accept();
      const hello = {
        network: new Uint8Array(32).fill(7),
        genesis: new Uint8Array([1]),
        height: 9,
        name: 'bee',
        addresses: [b.address],
        candidate: new Uint8Array(0),
        leader: new Uint8Array(0),
      };
      await b.transport.announce({ hello });
      const session = await a.transport.dial({ address: `${b.id}@${b.address}` });
      expect(session.nodeId).to.equal(b.id);
      expect(session.direction).to.equal('outbound');
      expect(session.hello.height).to.equal(9);
      await until(() => b.connected.length === 1);
      expect(b.connected[0]?.nodeId).to.equal(a.id);
      expect(b.connected[0]?.hello.addresses).to.deep.equal([a.address]);

      expect(await a.deliver('consensus', new Uint8Array([1, 2, 3]))).to.deep.equal({ peers: 1 });
      await until(() => b.received.length === 1);
      expect(b.received[0]).to.deep.include({ from: a.id, kind: 'consensus' });
      expect([...(b.received[0]?.body ?? [])]).to.deep.equal([1, 2, 3]);

      a.onAsked = ({ requestId, body }) => {
        const answer = Buffer.from(body).reverse();
        void a.transport.answer({ requestId, body: answer, errorCode: '', errorMessage: '' });
      };
      const { body } = await b.transport.fetch({ peer: a.id, kind: 'blocks', body: new Uint8Array([1, 2]) });
      expect([...body]).to.deep.equal([2, 1]);

      await a.transport.disconnect({ nodeId: b.id, code: 'ERR_DIFFERENT_NETWORK', reason: 'we are not you' });
      await until(() => b.gone.length === 1);
      expect(b.gone[0]).to.deep.equal({ nodeId: a.id, code: 'ERR_DIFFERENT_NETWORK', reason: 'we are not you' });
      expect(a.changes).to.deep.equal([`+${b.id}`, `-${b.id}`]);
      expect(await codeOf(a.transport.fetch({ peer: b.id, kind: 'x', body: new Uint8Array(0) }))).to.equal(
        'ERR_PEER_NOT_CONNECTED',
      );
    });
  }
});
