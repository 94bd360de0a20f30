import { deepEqual, equal } from 'node:assert/strict';
import {
  Chain,
  TxPool,
  decodeTransaction,
  keyPairFromSeed,
  sha256,
  toHex,
  transactionSigningBytes,
  utf8,
  verifySignature,
} from '@it-chain/contracts';
import { FakeContext, FakeNode } from '@it-chain/testkit';
import plugin, { Config } from '../src/index.js';

const friend = keyPairFromSeed(sha256(utf8('friend'))).publicKey;
const stranger = keyPairFromSeed(sha256(utf8('stranger'))).publicKey;

describe('the voter', () => {
  it('votes once for each node on its list, and for nobody else', async () => {
    const node = new FakeNode();
    node.found();
    const context = new FakeContext({ config: Config.parse({ admit: [toHex(friend)] }) });
    const sent: Uint8Array[] = [];
    const validators = { validators: [{ publicKey: context.identity.publicKey, sequence: 7 }] };
    const proposals = [friend, stranger].map((publicKey) => ({
      id: sha256(publicKey),
      proposer: stranger,
      action: { admit: { publicKey, name: '' } },
      expiresAt: 500,
      votes: [],
    }));
    context.provide(Chain, {
      ...node.roles.chain,
      members: async () => ({
        ...(await node.roles.chain.members({})),
        height: 3,
        validators,
        state: { ...empty, proposals },
      }),
    });
    context.provide(TxPool, {
      ...node.roles.txpool,
      submit: async ({ transactions }) => {
        sent.push(...transactions);
        return {
          entries: transactions.map((one) => ({
            id: decodeTransaction(one).id,
            state: 'pending' as const,
            code: '',
            reason: '',
          })),
        };
      },
    });
    await context.setup(plugin);
    const committed = {
      height: 3,
      digest: new Uint8Array(32),
      transactions: [],
      proposer: friend,
      time: 1,
      tip: 3,
      round: 0,
    };
    await context.tell(Chain.events.committed, committed);
    await context.tell(Chain.events.committed, committed);
    equal(sent.length, 1);
    const { value } = decodeTransaction(sent[0]!);
    deepEqual(value.membership?.vote, { proposal: new Uint8Array(sha256(friend)), approve: true });
    equal(verifySignature(value.sender, transactionSigningBytes(sent[0]!, value.network), value.signature), true);
  });
});

const empty = { validators: [], learners: [], nextSequence: 0, proposals: [], evicted: [] };
