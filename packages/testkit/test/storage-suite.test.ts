import { expect } from 'chai';
import type { RangeRequest, ReadRequest, WriteRequest, Infer } from '@it-chain/contracts';
import { MemoryStorage, testStorage } from '@it-chain/testkit';
import { failuresOf } from './failures-of.js';

const over = (make: () => MemoryStorage) => () => {
  testStorage(() => Promise.resolve({ storage: make(), dispose: () => Promise.resolve() }));
};

/** Writes first and looks at the conditions afterwards. */
class WritesAnyway extends MemoryStorage {
  override async write(request: WriteRequest): Promise<{ repeated: boolean }> {
    await super.write({ ...request, when: [] });
    return super.write({ ...request, writes: [], writer: '' });
  }
}

/** Takes an empty value for an absent one. */
class ForgetsEmpty extends MemoryStorage {
  override async read(request: Infer<typeof ReadRequest>) {
    const { values } = await super.read(request);
    return { values: values.map(({ value }) => ({ value: value?.length === 0 ? undefined : value })) };
  }
}

/** Gives the end of a range too, and never says that there is more. */
class WrongRange extends MemoryStorage {
  override async range(request: Infer<typeof RangeRequest>) {
    const to = request.to === undefined ? undefined : Buffer.concat([request.to, new Uint8Array([0])]);
    return { ...(await super.range({ ...request, to })), more: false };
  }
}

/** Writes a repeated sequence again, as a store does that does not keep sequences. */
class NoSequences extends MemoryStorage {
  override async write(request: WriteRequest): Promise<{ repeated: boolean }> {
    return super.write({ ...request, writer: '' });
  }
}

describe(
  'MemoryStorage as the storage role',
  over(() => new MemoryStorage()),
);

describe('the storage suite', () => {
  for (const [what, make, promise] of [
    ['writes before it looks at the conditions', () => new WritesAnyway(), 'S3'],
    ['takes an empty value for an absent one', () => new ForgetsEmpty(), 'S9'],
    ['gives the end of a range and hides that there is more', () => new WrongRange(), 'S5'],
    ['does not keep sequences', () => new NoSequences(), 'S6'],
  ] as const) {
    it(`finds a store that ${what}`, async () => {
      const { failed, ran } = await failuresOf(over(make));
      expect(failed.some((title) => title.startsWith(`${promise}:`))).to.equal(true, failed.join('; '));
      expect(ran).to.be.at.least(7);
    });
  }

  it('finds nothing in a store that is right', async () => {
    expect((await failuresOf(over(() => new MemoryStorage()))).failed).to.deep.equal([]);
  });
});
