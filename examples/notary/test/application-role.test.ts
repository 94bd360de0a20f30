import { verifySparseProof } from '@it-chain/contracts';
import { testApplication } from '@it-chain/testkit';
import { NotaryApplication, recordKey } from '@it-chain/example-notary';
import { Notary, hashOf, register, sender } from './fixture.js';

describe('NotaryApplication as the application role', () => {
  testApplication(() => {
    const notary = new Notary();
    const document = hashOf('a');
    return Promise.resolve({
      application: notary.application,
      commit: (writes) => notary.write(writes),
      restart: () => Promise.resolve(new NotaryApplication({ storage: notary.storage })),
      senderOf: () => sender,
      payloads: ['a', 'b', 'c', 'd', 'e'].map((text) => register(text, `label of ${text}`)),
      question: { path: 'record', data: document },
      verify: (root, answer) =>
        verifySparseProof(root, recordKey(document), answer.found ? answer.data : undefined, answer.proof),
      dispose: () => Promise.resolve(),
    });
  });
});
