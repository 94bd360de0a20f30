import { expect } from 'chai';
import { NodeProcess } from '../support/node-process.js';
import { allValidators, put, sameTip, scratch } from '../support/network.js';
import { startPostgres, type PrivatePostgres } from '../support/postgres.js';

// Needs a server: `node scripts/postgres-tests.mjs` installs one and sets POSTGRES_URL.
if (process.env['POSTGRES_URL'] !== undefined) {
  describe('two nodes in one PostgreSQL database', function () {
    this.timeout(300_000);
    const folder = scratch();
    const nodes: NodeProcess[] = [];
    // A server of its own, because it is made to crash.
    let server: PrivatePostgres;
    before(async () => {
      server = await startPostgres();
    });
    after(async () => {
      await Promise.all(nodes.map((node) => node.stop('SIGKILL')));
      await server.remove();
      folder.remove();
    });

    it('found, join, commit, and go on after a kill -9 of a node and a crash of the server', async () => {
      const options = {
        dir: folder.dir,
        swap: { leveldb: '@it-chain/plugin-postgres' },
        sections: { leveldb: { url: server.url }, p2p: { genesis: { growth: 'immediate' } } },
      };
      for (const name of ['first', 'second']) nodes.push(await NodeProcess.create({ ...options, name }));
      const [first, second] = nodes as [NodeProcess, NodeProcess];
      await Promise.all(nodes.map((node) => node.start()));
      await second.client.join(first.peer);
      await allValidators(nodes);
      await put(first, 'color', 'blue');
      await second.kill();
      await second.start();
      await put(second, 'shape', 'round');
      await server.crash();
      const { height } = await put(first, 'size', 'big');
      await sameTip(nodes, height);
      for (const node of nodes) {
        for (const [key, value] of [
          ['color', 'blue'],
          ['shape', 'round'],
          ['size', 'big'],
        ] as const) {
          expect(Buffer.from((await node.client.kv.get(key)).value ?? []).toString()).to.equal(value);
        }
      }
    });
  });
}
