import { expect } from 'chai';
import fc from 'fast-check';
import { inOrder, type Ordered } from '@it-chain/example-txpool-priority';

const isFirst = (sender: string): boolean => sender.startsWith('vip');
const make = (senders: readonly string[], size = 10): Ordered[] =>
  senders.map((sender, arrival) => ({ arrival, sender, encoded: { length: size } }));
const waiting = fc
  .array(fc.tuple(fc.constantFrom('vip1', 'vip2', 'a', 'b', 'c'), fc.integer({ min: 1, max: 40 })), { maxLength: 60 })
  .map((list) => list.map(([sender, length], arrival): Ordered => ({ arrival, sender, encoded: { length } })));
const limits = fc.record({
  maxCount: fc.integer({ min: 0, max: 30 }),
  maxBytes: fc.integer({ min: 0, max: 400 }),
  firstShare: fc.constantFrom(0, 0.1, 0.5, 1),
});
const names = (taken: readonly Ordered[]): string =>
  taken.map(({ sender, arrival }) => `${sender}@${arrival}`).join(' ');

describe('inOrder', () => {
  it('lets chosen senders go first, up to their share', () => {
    const all = make(['a', 'b', 'vip1', 'vip1', 'vip1', 'a', 'vip2']);
    const block = { maxCount: 4, maxBytes: 1_000, isFirst };
    expect(names(inOrder(all, { ...block, firstShare: 0.5 }))).to.equal('vip1@2 vip2@6 a@0 b@1');
    expect(names(inOrder(all, { ...block, firstShare: 1 }))).to.equal('vip1@2 vip2@6 vip1@3 vip1@4');
    expect(names(inOrder(all, { ...block, firstShare: 0 }))).to.equal('a@0 b@1 a@5 vip1@2');
  });

  it('gives the whole block to one class where the other has nothing', () => {
    const block = { maxCount: 3, maxBytes: 1_000, firstShare: 0.1, isFirst };
    expect(names(inOrder(make(['vip1', 'vip1', 'vip1']), block))).to.equal('vip1@0 vip1@1 vip1@2');
    expect(names(inOrder(make(['a', 'a', 'b']), block))).to.equal('a@0 b@2 a@1');
  });

  it('keeps the limits, takes nothing twice, and lets no sender overtake itself', () => {
    fc.assert(
      fc.property(waiting, limits, (all, options) => {
        const taken = inOrder(all, { ...options, isFirst });
        expect(taken.length).to.be.at.most(options.maxCount);
        expect(taken.reduce((sum, { encoded }) => sum + encoded.length, 0)).to.be.at.most(options.maxBytes);
        expect(new Set(taken).size).to.equal(taken.length);
        for (const sender of new Set(all.map((one) => one.sender))) {
          const own = all.filter((one) => one.sender === sender);
          const got = taken.filter((one) => one.sender === sender);
          expect(got).to.deep.equal(own.slice(0, got.length));
        }
      }),
    );
  });

  it('serves everybody in the end, whatever the share, if each block can hold the largest', () => {
    fc.assert(
      fc.property(waiting, fc.constantFrom(0, 0.1, 0.5, 1), (all, firstShare) => {
        let left = all;
        for (let block = 0; block < all.length && left.length > 0; block += 1) {
          const taken = new Set(inOrder(left, { maxCount: 5, maxBytes: 100, firstShare, isFirst }));
          expect(taken.size).to.be.greaterThan(0);
          left = left.filter((one) => !taken.has(one));
        }
        expect(left).to.deep.equal([]);
      }),
    );
  });

  it('never lets the others wait for a class that always has more, below a share of 1', () => {
    let arrivals = 0;
    const fresh = (sender: string): Ordered => ({ arrival: (arrivals += 1), sender, encoded: { length: 10 } });
    let left = [...Array.from({ length: 10 }, () => fresh('a')), ...Array.from({ length: 50 }, () => fresh('vip1'))];
    for (let block = 0; block < 5; block += 1) {
      const taken = new Set(inOrder(left, { maxCount: 4, maxBytes: 1_000, firstShare: 0.5, isFirst }));
      left = [...left.filter((one) => !taken.has(one)), ...Array.from({ length: 4 }, () => fresh('vip1'))];
    }
    expect(left.filter(({ sender }) => sender === 'a')).to.deep.equal([]);
  });
});
