import { deepEqual } from 'node:assert/strict';
import type { WaitingTransaction } from '@it-chain/contracts';
import { urgentFirst } from '../src/urgent-first.js';

/** Transactions that came in this order and expire at these heights. */
const waiting = (...heights: number[]): WaitingTransaction[] =>
  heights.map((expiresAt, arrival) => {
    const bytes = new Uint8Array(32).fill(arrival);
    return { arrival, at: arrival, id: bytes, sender: `sender ${arrival}`, expiresAt, encoded: bytes };
  });

describe('the order of the pool', () => {
  const inBlock = (height: number, all: readonly WaitingTransaction[]) =>
    [...urgentFirst(10)(all, { height, maxCount: 100, maxBytes: 1_000 })].map(({ expiresAt }) => expiresAt);

  it('lets what is about to expire go first, the soonest before all', () => {
    deepEqual(inBlock(100, waiting(500, 109, 300, 101, 110)), [101, 109, 500, 300, 110]);
  });

  it('is that of arrival where nothing is urgent', () => {
    deepEqual(inBlock(1, waiting(500, 109, 300)), [500, 109, 300]);
  });
});
