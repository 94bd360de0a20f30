import { verifySparseProof } from '@it-chain/contracts';
import { testApplication } from '@it-chain/testkit';
import { TokenApplication, keys } from '@it-chain/example-token';
import { Ledger, account, mint, owner, transfer } from './fixture.js';

describe('TokenApplication as the application role', () => {
  testApplication(async () => {
    const ledger = await Ledger.make();
    const bob = account('bob');
    return {
      application: ledger.application,
      commit: (writes) => ledger.write(writes),
      restart: () => Promise.resolve(new TokenApplication({ storage: ledger.storage })),
      senderOf: () => owner,
      payloads: [mint(owner, 100), transfer(bob, 10), mint(bob, 5), transfer(bob, 1), transfer(account('carol'), 20)],
      question: { path: 'balance', data: owner },
      verify: (root, answer) =>
        verifySparseProof(root, keys.balance(owner), answer.found ? answer.data : undefined, answer.proof),
      dispose: () => Promise.resolve(),
    };
  });
});
