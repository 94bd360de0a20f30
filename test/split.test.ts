import { expect } from 'chai';
import { keyPairFromSeed, sha256, toHex, utf8, KvOperation } from '@it-chain/contracts';
import { NodeProcess } from './support/node-process.js';
import { put, scratch } from './support/network.js';
import { startRabbitMq, type PrivateRabbitMq } from './support/rabbitmq.js';
import { until } from './support/until.js';

// Needs a broker: `node scripts/rabbitmq-tests.mjs` installs one and sets RABBITMQ=1.
if (process.env['RABBITMQ'] === '1') {
  describe('one node in three processes, RabbitMQ between them', function () {
    this.timeout(900_000);
    this.bail(true);
    const folder = scratch();
    let broker: PrivateRabbitMq;
    let doors: NodeProcess;
    let ledger: NodeProcess;
    let pool: NodeProcess;
    const acknowledged: Uint8Array[] = [];

    before(async () => {
      broker = await startRabbitMq();
      doors = await NodeProcess.create({ name: 'split', dir: folder.dir, busUrl: broker.url });
      ledger = doors.part('storage,chain');
      pool = doors.part('txpool,application');
    });
    after(async () => {
      await Promise.all([doors, ledger, pool].map((part) => part.stop('SIGKILL')));
      await broker.remove();
      folder.remove();
    });

    /** Submits until one is taken, as a client does that is told to try again; what was acknowledged must be committed. */
    async function submit(name: string): Promise<void> {
      const payload = KvOperation.encode({ put: { key: utf8(name), value: utf8('1') } });
      const status = await until(
        `${name} is acknowledged`,
        () => doors.client.send(payload, keyPairFromSeed(sha256(utf8('client')))),
        60_000,
      );
      expect(status.status).to.be.oneOf(['pending', 'proposed', 'committed']);
      acknowledged.push(status.id);
    }

    async function allCommitted(): Promise<void> {
      for (const id of acknowledged) {
        const final = await doors.client.waitForTransaction(id, { timeoutMs: 300_000 });
        expect(final.status, toHex(id)).to.equal('committed');
      }
    }

    it('each part waits for the others, says so, and together they are a node', async () => {
      const first = doors.launch(['--solo', '--only', 'identity,transport,p2p,consensus']);
      await until(
        'the first part says what it waits for',
        () => doors.stderr.includes('waits for the role storage.v1'),
        30_000,
      );
      doors.nodeId = await until('the id in the log', () => /"nodeId":"(\w+)"/.exec(doors.stderr)?.[1], 30_000);
      for (const part of [ledger, pool]) part.belongTo(doors.nodeId);
      await Promise.all([first, ledger.launch(), pool.launch()]);
      await put(doors, 'together', 'yes');
      const { plugins } = await doors.client.status();
      expect(plugins.map(({ role }) => role)).to.include.members(['transport', 'p2p', 'consensus']);
    });

    for (const [name, which] of [
      ['the pool and the application', () => pool],
      ['the ledger and its storage', () => ledger],
    ] as const) {
      it(`${name} killed and started again: what was acknowledged is committed`, async () => {
        await submit(`before the end of ${name}`);
        await which().kill();
        const refused = await doors.client
          .send(
            KvOperation.encode({ put: { key: utf8('while'), value: utf8('away') } }),
            keyPairFromSeed(sha256(utf8('client'))),
          )
          .then(
            ({ id }) => (acknowledged.push(id), undefined),
            (error: unknown) => error,
          );
        if (refused !== undefined)
          expect(refused)
            .to.have.property('code')
            .that.matches(/^ERR_BUS_/);
        await which().launch();
        await submit(`after the end of ${name}`);
        await allCommitted();
      });
    }

    it('the doors killed and started again: the node goes on where it was', async () => {
      await submit('before the doors close');
      const { height } = await doors.client.status();
      await doors.kill();
      await doors.launch(['--solo', '--only', 'identity,transport,p2p,consensus']);
      await submit('after the doors closed');
      await allCommitted();
      expect((await doors.client.status()).height).to.be.greaterThan(height);
    });
  });
}
