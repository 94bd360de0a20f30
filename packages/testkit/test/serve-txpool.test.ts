import { expect } from 'chai';
import fc from 'fast-check';
import {
  Application,
  Chain,
  P2p,
  Storage,
  Transport,
  TxPool,
  definePlugin,
  fillBlock,
  poolSettings,
  serveTxPool,
  z,
  type Plugin,
  type WaitingTransaction,
} from '@it-chain/contracts';
import { testPlugin, testTxPool } from '@it-chain/testkit';

/** The latest first. */
const plugin = definePlugin({
  name: 'latest-first',
  version: '1.0.0',
  provides: [TxPool],
  requires: [Storage],
  uses: [Application, Chain, P2p, Transport],
  config: z.strictObject(poolSettings).prefault({}),
  setup: (context) => serveTxPool(context, (waiting) => [...waiting].reverse()),
}) as unknown as Plugin;

describe('a plugin on serveTxPool', () => {
  testPlugin(plugin);
});

describe('a plugin on serveTxPool, as the txpool role', () => {
  testTxPool(plugin, {
    fair: false,
    limits: { total: { config: { maxCount: 3 }, most: 3 }, perSender: { config: { maxPerSender: 2 }, most: 2 } },
  });
});

const waiting = (list: readonly (readonly [sender: string, size: number])[]): WaitingTransaction[] =>
  list.map(([sender, size], arrival) => ({
    arrival,
    at: arrival,
    id: new Uint8Array(32).fill(arrival),
    sender,
    expiresAt: 100,
    encoded: new Uint8Array(size),
  }));
const arrivals = (taken: readonly WaitingTransaction[]): number[] => taken.map(({ arrival }) => arrival);

describe('fillBlock', () => {
  const room = { height: 1, maxCount: 10, maxBytes: 100 };

  it('fills in the order that it is given, and lets none of a sender overtake one that does not fit', () => {
    const all = waiting([
      ['a', 60],
      ['a', 60],
      ['a', 10],
      ['b', 40],
    ]);
    expect(arrivals(fillBlock(all, (offered) => offered, room))).to.deep.equal([0, 3]);
    expect(arrivals(fillBlock(all, (offered) => [...offered].reverse(), room))).to.deep.equal([3, 2]);
    expect(arrivals(fillBlock(all, (offered) => offered, { ...room, maxCount: 1 }))).to.deep.equal([0]);
  });

  it('takes nothing twice, and nothing that was not offered', () => {
    const [one, foreign] = [...waiting([['a', 10]]), ...waiting([['b', 10]])];
    if (one === undefined || foreign === undefined) throw new Error('two were made');
    expect(fillBlock([one], () => [foreign, one, one, { ...one }], room)).to.deep.equal([one]);
  });

  it('keeps the limits of the block, whatever the order', () => {
    const lists = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 60 })), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(lists, fc.nat(12), fc.nat(200), fc.func(fc.integer()), (list, maxCount, maxBytes, weigh) => {
        const order = (offered: readonly WaitingTransaction[]): WaitingTransaction[] =>
          [...offered].sort((x, y) => weigh(x.arrival) - weigh(y.arrival));
        const taken = fillBlock(waiting(list), order, { height: 1, maxCount, maxBytes });
        expect(taken.length).to.be.at.most(maxCount);
        expect(taken.reduce((sum, { encoded }) => sum + encoded.length, 0)).to.be.at.most(maxBytes);
        expect(new Set(taken).size).to.equal(taken.length);
      }),
    );
  });
});
