import { expect } from 'chai';
import {
  failure,
  type Infer,
  type RangeRequest,
  type ReadRequest,
  type Write,
  type WriteRequest,
} from '@it-chain/contracts';
import { MemoryStorage, testStorage, type LastingStorageUnderTest } from '@it-chain/testkit';
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

/** Forgets all but the first key of a batch. */
class HalfBatches extends MemoryStorage {
  override async write(request: WriteRequest): Promise<{ repeated: boolean }> {
    const namespaces = request.writes.map(({ namespace }) => namespace);
    const writes = request.writes.filter(({ namespace }) => namespace === namespaces[0]);
    return super.write({ ...request, writes });
  }
}

/** A store whose requests are kept as a disk keeps them: all of them when it is closed, the synced ones at a power cut. */
class LastingStorage extends MemoryStorage {
  readonly history: WriteRequest[] = [];
  synced = 0;

  override async write(request: WriteRequest): Promise<{ repeated: boolean }> {
    const answer = await super.write(request);
    this.history.push(request);
    if (request.sync) this.synced = this.history.length;
    return answer;
  }

  /** Another one that holds what these requests wrote. */
  async replayed(requests: readonly WriteRequest[]): Promise<LastingStorage> {
    const other = new LastingStorage();
    for (const request of requests) await other.write(request);
    return other;
  }
}

/** What a wrong lasting store does differently. */
interface LastingFaults {
  readonly afterCrash?: (store: LastingStorage) => readonly WriteRequest[];
  readonly afterClose?: (store: LastingStorage) => readonly WriteRequest[];
  readonly damaged?: (store: MemoryStorage, write: Write) => Promise<unknown>;
  readonly lost?: () => Promise<unknown>;
}

const damage = (): Promise<never> => Promise.reject(failure('ERR_STORAGE_DAMAGED', 'a checksum does not fit'));

const lasting = (faults: LastingFaults) => (): Promise<LastingStorageUnderTest> => {
  const storage = new LastingStorage();
  const whole = (): readonly WriteRequest[] => storage.history;
  return Promise.resolve({
    storage,
    reopen: () => storage.replayed(faults.afterClose?.(storage) ?? whole()),
    crash: () => storage.replayed(faults.afterCrash?.(storage) ?? whole().slice(0, storage.synced)),
    readDamaged: (write) => (faults.damaged ?? damage)(storage, write),
    openLost: faults.lost ?? damage,
    dispose: () => Promise.resolve(),
  });
};

const overLasting = (faults: LastingFaults) => () => {
  testStorage(
    () => Promise.resolve({ storage: new MemoryStorage(), dispose: () => Promise.resolve() }),
    lasting(faults),
  );
};

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
    ['writes the part of one namespace only', () => new HalfBatches(), 'S1'],
  ] as const) {
    it(`finds a store that ${what}`, async () => {
      const { failed, ran } = await failuresOf(over(make));
      expect(failed.some((title) => title.startsWith(`${promise}:`))).to.equal(true, failed.join('; '));
      expect(ran).to.be.at.least(7);
    });
  }

  for (const [what, faults, promise] of [
    ['answers a synced write before it is on disk', { afterCrash: ({ history }) => history.slice(0, -1) }, 'S2'],
    ['loses what was not synced when it is closed', { afterClose: () => [] }, 'S7'],
    [
      'forgets the sequences of writers when it is closed',
      { afterClose: ({ history }) => history.map((request) => ({ ...request, writer: '' })) },
      'S7',
    ],
    ['gives a damaged value', { damaged: (store, { namespace, key }) => store.read({ namespace, keys: [key] }) }, 'S8'],
    ['takes a damaged value for an absent one', { damaged: () => Promise.resolve({ values: [{}] }) }, 'S8'],
    ['takes a lost store for a new one', { lost: () => Promise.resolve(new MemoryStorage()) }, 'S10'],
  ] as readonly (readonly [string, LastingFaults, string])[]) {
    it(`finds a store that ${what}`, async () => {
      const { failed } = await failuresOf(overLasting(faults));
      expect(failed.map((title) => title.split(':')[0])).to.deep.equal([promise]);
    });
  }

  it('finds nothing in a store that is right', async () => {
    expect((await failuresOf(overLasting({}))).failed).to.deep.equal([]);
    expect((await failuresOf(over(() => new MemoryStorage()))).failed).to.deep.equal([]);
  });
});
