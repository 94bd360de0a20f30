import { deepEqual, equal } from 'node:assert/strict';
import { utf8 } from '@it-chain/contracts';
import { MemoryStorage, applicationTransactions } from '@it-chain/testkit';
import { Tally } from '../src/tally.js';

describe('the tally', () => {
  it('adds one per transaction and refuses what is no name', async () => {
    const tally = new Tally({ maxNameBytes: 32 }, new MemoryStorage());
    const transactions = applicationTransactions(['blue', 'red', 'blue', 'NO'].map(utf8));
    const previousRoot = (await tally.info()).emptyRoot;
    const { receipts } = await tally.execute({ height: 1, time: 1, transactions, previousRoot });
    deepEqual(
      receipts.map(({ code, output }) => [code, Buffer.from(output).toString()]),
      [
        [0, '1'],
        [0, '1'],
        [0, '2'],
        [1, ''],
      ],
    );
  });

  it('keeps a name out of the pool that is too long for this node', async () => {
    const { verdicts } = await new Tally({ maxNameBytes: 4 }, new MemoryStorage()).check({
      transactions: applicationTransactions(['blue', 'green'].map(utf8)),
    });
    deepEqual(
      verdicts.map(({ ok }) => ok),
      [true, false],
    );
    equal(verdicts[1]?.code, 'ERR_TALLY_NAME');
  });
});
