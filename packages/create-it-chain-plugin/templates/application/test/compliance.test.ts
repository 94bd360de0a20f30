import { utf8, verifySparseProof } from '@it-chain/contracts';
import { MemoryStorage, testApplication, testPlugin } from '@it-chain/testkit';
import plugin from '../src/index.js';
import { Tally } from '../src/tally.js';

describe('my-plugin', () => {
  testPlugin(plugin);
});

describe('my-plugin as the application role', () => {
  testApplication(async () => {
    const storage = new MemoryStorage();
    const open = () => new Tally({ maxNameBytes: 32 }, storage);
    return {
      application: open(),
      commit: async (writes) => {
        const all = writes.map((write) => ({ namespace: 'app' as const, ...write }));
        await storage.write({ writes: all, when: [], sync: true, writer: '', sequence: 0 });
      },
      restart: async () => open(),
      payloads: ['blue', 'red', 'blue', 'green'].map(utf8),
      question: { path: 'count', data: utf8('blue') },
      verify: (root, { found, data, proof }) => verifySparseProof(root, utf8('blue'), found ? data : undefined, proof),
      dispose: async () => {},
    };
  });
});
