import { expect } from 'chai';
import type { PoolEntry } from '@it-chain/contracts';
import { SubmitGate, type Admit } from '../dist/submit-gate.js';

const batch = (...bytes: number[]): Uint8Array[] => bytes.map((byte) => new Uint8Array([byte]));
const entryOf = (id: Uint8Array): PoolEntry => ({ id, state: 'pending', code: '', reason: '' });
const idsOf = (entries: readonly PoolEntry[]): number[] => entries.map(({ id }) => id[0] ?? -1);

/** An admission that stops until it is let go. */
function held(): {
  readonly batches: { ids: number[]; from: string; go: (error?: Error) => void }[];
  readonly admit: Admit;
} {
  const batches: { ids: number[]; from: string; go: (error?: Error) => void }[] = [];
  return {
    batches,
    admit: (transactions, from) =>
      new Promise((resolve, reject) => {
        const go = (error?: Error): void => {
          if (error === undefined) resolve(transactions.map(entryOf));
          else reject(error);
        };
        batches.push({ ids: transactions.map(([byte]) => byte ?? -1), from, go });
      }),
  };
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('submits that share an admission', () => {
  it('admits at once what comes alone, and together what comes meanwhile; each gets its own answer', async () => {
    const { batches, admit } = held();
    const gate = new SubmitGate({ admit });
    const answers = [batch(1, 2), batch(3), batch(), batch(4, 5)].map((each) => gate.submit(each, ''));
    expect(batches.map(({ ids }) => ids)).to.deep.equal([[1, 2]]);
    batches[0]?.go();
    await turn();
    expect(batches.map(({ ids }) => ids)).to.deep.equal([
      [1, 2],
      [3, 4, 5],
    ]);
    batches[1]?.go();
    expect((await Promise.all(answers)).map(idsOf)).to.deep.equal([[1, 2], [3], [], [4, 5]]);
  });

  it('does not let one sender wait for another', async () => {
    const { batches, admit } = held();
    const gate = new SubmitGate({ admit });
    const slow = gate.submit(batch(1), '');
    const other = gate.submit(batch(2), 'peer');
    expect(batches.map(({ from }) => from)).to.deep.equal(['', 'peer']);
    batches[1]?.go();
    expect(idsOf(await other)).to.deep.equal([2]);
    batches[0]?.go();
    expect(idsOf(await slow)).to.deep.equal([1]);
  });

  it('fails those that shared an admission that failed, and goes on with the next', async () => {
    const { batches, admit } = held();
    const gate = new SubmitGate({ admit });
    const first = gate.submit(batch(1), '');
    const shared = [gate.submit(batch(2), ''), gate.submit(batch(3), '')];
    batches[0]?.go();
    await first;
    const later = gate.submit(batch(4), '');
    batches[1]?.go(new Error('the store is away'));
    const outcomes = await Promise.allSettled(shared);
    expect(outcomes.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
    await turn();
    batches[2]?.go();
    expect(idsOf(await later)).to.deep.equal([4]);
  });

  it('shares up to a thousand transactions, and never splits a submit', async () => {
    const { batches, admit } = held();
    const gate = new SubmitGate({ admit });
    const large = Array.from({ length: 600 }, () => new Uint8Array([7]));
    const answers = [batch(1), large, large, Array.from({ length: 2_000 }, () => new Uint8Array([8]))].map((each) =>
      gate.submit(each, ''),
    );
    for (let index = 0; index < 4; index += 1) {
      batches[index]?.go();
      await turn();
    }
    expect(batches.map(({ ids }) => ids.length)).to.deep.equal([1, 600, 600, 2_000]);
    await Promise.all(answers);
  });
});
