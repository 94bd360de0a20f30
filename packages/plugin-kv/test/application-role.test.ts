import { utf8, verifySparseProof, type ApplicationWrite } from '@it-chain/contracts';
import { testApplication } from '@it-chain/testkit';
import { KvApplication } from '@it-chain/plugin-kv';
import { Ledger, compareAndSet, put, remove } from './fixture.js';

describe('KvApplication as the application role', () => {
  testApplication(() => {
    const { application, storage } = new Ledger();
    const key = utf8('a');
    return Promise.resolve({
      application,
      commit: async (writes: readonly ApplicationWrite[]) => {
        const all = writes.map((write) => ({ namespace: 'app' as const, ...write }));
        await storage.write({ writes: all, when: [], sync: true, writer: '', sequence: 0 });
      },
      restart: () => Promise.resolve(new KvApplication({ cachePages: 64 }, { storage })),
      payloads: [
        put(key, utf8('1')),
        put(utf8('b'), utf8('2')),
        compareAndSet(utf8('c'), undefined, utf8('3')),
        remove(utf8('b')),
        put(utf8('d'), utf8('4')),
      ],
      question: { path: 'get', data: key },
      verify: (root, answer) => verifySparseProof(root, key, answer.found ? answer.data : undefined, answer.proof),
      dispose: () => Promise.resolve(),
    });
  });
});
