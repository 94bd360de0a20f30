import { expect } from 'chai';
import type { Plugin, Storage, Transport, TxPool } from '@it-chain/contracts';
import { testTxPool } from '@it-chain/testkit';
import txpool from '@it-chain/plugin-txpool';
import { altered, type Alterations } from './altered.js';
import { failuresOf } from './failures-of.js';

const right = txpool as unknown as Plugin;
const over = (plugin: Plugin) => () => {
  testTxPool(plugin, { limits: { total: { config: { maxCount: 3 }, most: 3 } } });
};

/** Gives each transaction once. */
const takesOut = (pool: TxPool): object => {
  const given = new Set<string>();
  return {
    take: async (request: Parameters<TxPool['take']>[0]) => {
      const { transactions } = await pool.take(request);
      const fresh = transactions.filter((one) => !given.has(Buffer.from(one).toString('hex')));
      for (const one of fresh) given.add(Buffer.from(one).toString('hex'));
      return { transactions: fresh };
    },
  };
};

const WRONG: readonly (readonly [string, Alterations, string])[] = [
  [
    'answers before it is on disk',
    {
      uses: {
        storage: (store: Storage) => ({
          write: (request: object) => store.write({ ...request, sync: false } as never),
        }),
      },
    },
    'X1',
  ],
  [
    'gives the newest first',
    {
      serves: (pool: TxPool) => ({
        take: async (request: Parameters<TxPool['take']>[0]) => ({
          transactions: (await pool.take(request)).transactions.toReversed(),
        }),
      }),
    },
    'X2',
  ],
  [
    'answers pending to whatever comes',
    {
      serves: (pool: TxPool) => ({
        submit: async (request: Parameters<TxPool['submit']>[0]) => ({
          entries: (await pool.submit(request)).entries.map((entry) => ({ ...entry, state: 'pending', code: '' })),
        }),
      }),
    },
    'X4',
  ],
  ['does not hear of blocks and never asks', { deafTo: ['block.committed'], uses: { storage: blind } }, 'X5'],
  ['takes out what it gives', { serves: takesOut }, 'X6'],
  ['does not look at what was committed while it was away', { uses: { storage: blind } }, 'X7'],
  [
    'tells no peer',
    {
      deafTo: ['peer.connected'],
      uses: { transport: (): Partial<Transport> => ({ sessions: () => Promise.resolve({ sessions: [] }) }) },
    },
    'X8',
  ],
];

/** Sees nothing that chain has written. */
function blind(store: Storage): object {
  return {
    read: (request: Parameters<Storage['read']>[0]) =>
      request.namespace === 'chain' ? Promise.resolve({ values: request.keys.map(() => ({})) }) : store.read(request),
  };
}

describe('the txpool suite', () => {
  for (const [what, alterations, promise] of WRONG) {
    it(`finds a pool that ${what}`, async () => {
      const { failed } = await failuresOf(over(altered(right, alterations)));
      expect(
        failed.some((title) => title.startsWith(`${promise}:`)),
        failed.join('; '),
      ).to.equal(true);
    });
  }

  it('finds nothing in a pool that is right', async () => {
    expect((await failuresOf(over(altered(right, {})))).failed).to.deep.equal([]);
  });
});
