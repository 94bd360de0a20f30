import { expect } from 'chai';
import fc from 'fast-check';
import { toHex } from '@it-chain/contracts';
import { PoolFixture, transaction } from './fixture.js';

interface Waiting {
  readonly sender: string;
  readonly encoded: Uint8Array;
}

/** Promise X2 in its plainest form: one of each sender in turn, the sender whose oldest came first begins. */
function model(waiting: readonly Waiting[], maxCount: number, maxBytes: number): string[] {
  let left = [...waiting];
  const taken: string[] = [];
  const full = new Set<string>();
  let size = 0;
  for (;;) {
    const heads = left.filter(
      (one, index) => !full.has(one.sender) && left.findIndex(({ sender }) => sender === one.sender) === index,
    );
    const order = heads.sort((a, b) => first(waiting, a.sender) - first(waiting, b.sender));
    if (order.length === 0) return taken;
    for (const head of order) {
      if (taken.length >= maxCount) return taken;
      if (size + head.encoded.length > maxBytes) full.add(head.sender);
      else {
        size += head.encoded.length;
        taken.push(toHex(head.encoded));
        left = left.filter((one) => one !== head);
      }
    }
  }
}
const first = (waiting: readonly Waiting[], sender: string): number =>
  waiting.findIndex((one) => one.sender === sender);

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('submit' as const),
      sender: fc.integer({ min: 0, max: 3 }),
      size: fc.integer({ min: 1, max: 300 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('take' as const),
      count: fc.integer({ min: 1, max: 8 }),
      bytes: fc.integer({ min: 100, max: 3_000 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('commit' as const), which: fc.array(fc.nat(20), { maxLength: 4 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
);

describe('the order of the pool', () => {
  it('X2: take gives transactions round-robin by sender, and first-in first-out within one sender', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        let fixture = await new PoolFixture().start();
        let waiting: Waiting[] = [];
        let height = 0;
        for (const one of steps) {
          if (one.kind === 'submit') {
            const sender = `s${one.sender}`;
            const encoded = transaction(sender, { payload: new Uint8Array(one.size) });
            waiting.push({ sender, encoded });
            expect(await fixture.outcomes(encoded)).to.deep.equal(['pending']);
          } else if (one.kind === 'take') {
            const taken = await fixture.take(height + 1, one.count, one.bytes);
            expect(taken.map((encoded) => toHex(encoded))).to.deep.equal(model(waiting, one.count, one.bytes));
          } else if (one.kind === 'commit') {
            const gone = new Set(one.which.map((index) => waiting[index % Math.max(1, waiting.length)]));
            height += 1;
            const block = waiting.filter((each) => gone.has(each)).map(({ encoded }) => encoded);
            await fixture.commit(height, block);
            waiting = waiting.filter((each) => !gone.has(each));
          } else fixture = await fixture.restart();
        }
        const all = await fixture.take(height + 1);
        expect(all.map((encoded) => toHex(encoded))).to.deep.equal(model(waiting, 10_000, 10_000_000));
        expect((await fixture.pool.status({})).count).to.equal(waiting.length);
      }),
      { numRuns: 60 },
    );
  });
});
