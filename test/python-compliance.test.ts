import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AmqpServer } from '@it-chain/amqp-server';
import { connectAmqpBus, permissionsOf } from '@it-chain/bus-amqp';
import {
  Application,
  message,
  nested,
  optional,
  roleAddress,
  sha256,
  type StatePage,
  Storage,
  string,
  toHex,
  utf8,
  verifySparseProof,
  type Infer,
} from '@it-chain/contracts';
import { createProxy, loadConfig, serveRole, SystemClock } from '@it-chain/kernel';
import { MemoryStorage, testApplication, type ApplicationUnderTest } from '@it-chain/testkit';
import { expect } from 'chai';
import { root } from './support/node-process.js';
import { scratch } from './support/network.js';
import { PythonProcess } from './support/python.js';

const NAMESPACE = 'n';
const EXAMPLE = 'application-python';
const Claim = message('Claim', { name: string(1) });
const NameOperation = message('NameOperation', { claim: optional(nested(1, Claim), 'operation') });
const sender = sha256(utf8('sender'));
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

// Needs Python: `npm run python-test` sets it up and sets PYTHON_EXAMPLES=1.
if (process.env['PYTHON_EXAMPLES'] === '1') {
  describe('the application in Python, over the bus, as the user of its manifest', function () {
    this.timeout(600_000);
    testApplication(open);

    it('A7: the pages of its state come to the same root in an empty one, also when it is killed in between', async () => {
      const [full, empty] = [await open(), await open()];
      const { emptyRoot } = await full.application.info({});
      const payloads = Array.from({ length: 50 }, (_, index) => NameOperation.encode({ claim: { name: `n${index}` } }));
      const transactions = payloads.map((payload, index) => ({ id: sha256(utf8(`${index}`)), sender, payload }));
      const executed = await full.application.execute({ height: 1, time: 1, transactions, previousRoot: emptyRoot });
      await full.commit(executed.writes);
      let from = emptyRoot;
      let pages = 0;
      let restoring = empty.application;
      for (let cursor: Uint8Array | undefined = new Uint8Array(0); cursor !== undefined; pages += 1) {
        const part: Infer<typeof StatePage> | undefined = await full.application.snapshot?.({
          root: executed.root,
          cursor,
          maxBytes: 500,
        });
        if (part === undefined) throw new Error('the application gives no snapshots');
        const restored = await restoring.restore?.({ height: 1, previousRoot: from, page: part.page });
        if (restored === undefined) throw new Error('the application restores nothing');
        await empty.commit(restored.writes);
        from = restored.root;
        if (pages === 2) restoring = await empty.restart();
        cursor = part.next;
      }
      expect(pages).to.be.greaterThan(3);
      expect(toHex(from)).to.equal(toHex(executed.root));
      for (const one of [full, empty]) await one.dispose();
    });

    async function open(): Promise<ApplicationUnderTest> {
      const clock = new SystemClock();
      const folder = scratch();
      const manifest = join(root, 'examples', EXAMPLE, 'it-chain-plugin.json');
      const config = { plugins: [{ use: manifest }] };
      const { foreign } = await loadConfig({ cwd: folder.dir, env: {}, defaults: { plugins: [] }, config }, clock);
      const [needs] = foreign;
      if (needs === undefined) throw new Error('the manifest was not read');
      const { routingKeys, ...names } = permissionsOf(needs, NAMESPACE);
      const server = new AmqpServer({
        users: [
          { name: 'node', password: 'n' },
          { name: 'names', password: 'p', permissions: { '/': names }, routingKeys: { '/': routingKeys } },
        ],
      });
      const { port } = await server.listen();
      const bus = await connectAmqpBus({ url: `amqp://node:n@127.0.0.1:${port}`, namespace: NAMESPACE, clock });
      const storage = new MemoryStorage();
      await serveRole(bus, Storage, storage, silent);
      const busFile = join(folder.dir, 'bus.json');
      writeFileSync(busFile, JSON.stringify({ url: `amqp://names:p@127.0.0.1:${port}`, namespace: NAMESPACE }));
      let count = 0;
      let python: PythonProcess | undefined;
      const start = async () => {
        await python?.stop('SIGKILL');
        python = new PythonProcess(EXAMPLE, ['application.py', '--bus-file', busFile]);
        await bus.waitForRole(roleAddress(Application), 120_000);
        return createProxy(Application, { bus: () => bus, clock, sender: 'test', nextId: () => `test-${count++}` });
      };
      return {
        application: await start(),
        commit: async (writes) => {
          const all = writes.map((write) => ({ namespace: 'app' as const, ...write }));
          await storage.write({ writes: all, when: [], sync: true, writer: '', sequence: 0 });
        },
        restart: start,
        // Who owns a name is in the state, so the same payload is always of the same sender.
        senderOf: () => sender,
        payloads: ['blue', 'red', 'green', 'white'].map((name) => NameOperation.encode({ claim: { name } })),
        question: { path: 'get', data: utf8('blue') },
        verify: (at, { found, data, proof }) =>
          verifySparseProof(at, utf8('name/blue'), found ? data : undefined, proof),
        dispose: async () => {
          await python?.stop();
          await bus.close();
          await server.close();
          folder.remove();
        },
      };
    }
  });
}
