import { expect } from 'chai';
import fc from 'fast-check';
import { toHex } from '@it-chain/contracts';
import { NOTARY_CODES, NotaryApplication, NotaryRecord } from '@it-chain/example-notary';
import { Notary, hashOf, register, sender } from './fixture.js';

const { done, known, malformed } = NOTARY_CODES;

describe('NotaryApplication', () => {
  it('notes who came first, in which block and when, and never changes that', async () => {
    const notary = new Notary();
    const first = await notary.commit([register('deed', 'mine'), register('deed', 'no, mine'), new Uint8Array([9])]);
    expect(first.receipts.map(({ code }) => code)).to.deep.equal([done, known, malformed]);
    const second = await notary.commit([register('deed', 'later')]);
    expect(second.receipts.map(({ code }) => code)).to.deep.equal([known]);
    const asked = { path: 'record', data: hashOf('deed'), prove: false, root: notary.root };
    const record = NotaryRecord.decode((await notary.application.query(asked)).data);
    expect(record).to.deep.include({ height: 1, time: 1_700_000_000_001, label: 'mine' });
    expect(toHex(record.owner)).to.equal(toHex(sender));
    // Whoever comes later is told in the receipt who was first.
    expect(NotaryRecord.decode(second.receipts[0]?.output ?? new Uint8Array(0)).label).to.equal('mine');
  });

  it('is deterministic, also over restarts before every block', async () => {
    const texts = fc.array(fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { maxLength: 6 }), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(texts, async (blocks) => {
        const one = new Notary();
        for (const block of blocks) {
          const from = one.root;
          const restarted = new NotaryApplication({ storage: one.storage });
          const height = one.height + 1;
          const payloads = block.map((text) => register(text));
          const transactions = payloads.map((payload, index) => ({
            id: hashOf(`${height}/${index}`),
            sender,
            payload,
          }));
          const request = { height, time: 1_700_000_000_000 + height, transactions, previousRoot: from };
          const other = await restarted.execute(request);
          const answer = await one.commit(payloads);
          expect(toHex(other.root)).to.equal(toHex(answer.root));
          expect(other.receipts).to.deep.equal(answer.receipts);
          expect(new Set(answer.writes.map(({ key }) => toHex(key))).size).to.equal(
            answer.receipts.filter(({ code }) => code === done).length,
          );
        }
      }),
      { numRuns: 50 },
    );
  });
});
