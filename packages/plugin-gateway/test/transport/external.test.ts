import { networkInterfaces } from 'node:os';
import { expect } from 'chai';
import { rawLink } from './raw-peer.js';
import { codeOf, nodesOf, until } from './test-node.js';

/** An address of this machine that is not loopback, where it has one. */
const external = Object.values(networkInterfaces())
  .flat()
  .find((one) => one !== undefined && !one.internal && one.family === 'IPv4')?.address;

// A machine without any network has no address to try this on.
if (external !== undefined) {
  describe('peers that are not on loopback', function () {
    this.timeout(60_000);
    const node = nodesOf();
    const open = { listen: '0.0.0.0:0', advertise: `${external}:0` };

    it('speak TLS by default, and are told the address to dial', async () => {
      const a = await node('a', { config: open }).accept();
      const b = await node('b').accept();
      const { advertised } = await a.transport.status();
      expect(advertised).to.match(new RegExp(`^${external.replaceAll('.', '\\.')}:\\d+$`));
      await b.transport.dial({ address: advertised });
      await until(() => a.connected.length === 1);
      expect(b.log.lines.find(({ message }) => message === 'a peer is connected')?.fields['security']).to.equal('tls');
      expect(b.connected[0]?.hello.addresses).to.deep.equal([advertised]);
    });

    it('are refused in plaintext unless both are insecure, which their status says', async () => {
      const a = await node('a', { config: open }).accept();
      const b = node('b', { config: { insecure: true } });
      const { advertised } = await a.transport.status();
      expect(await codeOf(b.transport.dial({ address: advertised }))).to.equal('ERR_PEER_INSECURE');
      const c = await node('c', { config: { ...open, insecure: true } }).accept();
      const { advertised: careless, insecure } = await c.transport.status();
      expect(insecure).to.equal(true);
      await b.transport.dial({ address: careless });
      expect(b.log.lines.find(({ message }) => message === 'a peer is connected')?.fields['security']).to.equal(
        'plain',
      );
    });

    it('lose their address for a while when they break the protocol again and again', async () => {
      const a = await node('a', { config: { ...open, limits: { bad: 3 } } }).accept();
      const { advertised } = await a.transport.status();
      for (let round = 0; round < 3; round += 1) {
        const link = await rawLink(advertised);
        link.send({ admit: {} });
        await link.gone;
      }
      await until(() => a.log.of('warn').includes('a peer is banned'));
      const b = node('b');
      expect(await codeOf(b.transport.dial({ address: advertised }))).to.match(/ERR_PEER_(UNREACHABLE|LOST)/);
    });
  });
}
