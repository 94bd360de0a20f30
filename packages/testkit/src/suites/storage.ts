import { expect } from 'chai';
import fc from 'fast-check';
import { Storage, compareBytes, utf8, type Served, type Write, type WriteRequest } from '@it-chain/contracts';
import { codeOf, promiseOf } from './promise.js';

type Store = Served<typeof Storage>;

/** One store, fresh and empty. */
export interface StorageUnderTest {
  readonly storage: Store;
  /** Frees what it holds. */
  readonly dispose: () => Promise<void>;
}

/** A store that lasts, and what can be done to it behind its back. Each of the calls ends the use of `storage`. */
export interface LastingStorageUnderTest extends StorageUnderTest {
  /** Closes it and opens the same data again. */
  readonly reopen: () => Promise<Store>;
  /** Opens what a crash at this moment leaves on disk, without closing first. */
  readonly crash: () => Promise<Store>;
  /** Closes it, changes bytes of the stored value in the files, opens it and reads the key. */
  readonly readDamaged: (write: Write) => Promise<unknown>;
  /** Closes it, removes its files and opens it. */
  readonly openLost: () => Promise<unknown>;
}

const key = (text: string): Uint8Array => utf8(text);
const put = (name: string, value: string, namespace: Write['namespace'] = 'app'): Write => ({
  namespace,
  key: key(name),
  value: key(value),
});
const request = (writes: readonly Write[], more: Partial<WriteRequest> = {}): WriteRequest => ({
  writes,
  when: [],
  sync: false,
  writer: '',
  sequence: 0,
  ...more,
});
async function valueOf(
  storage: Store,
  name: string,
  namespace: Write['namespace'] = 'app',
): Promise<string | undefined> {
  const { values } = await storage.read({ namespace, keys: [key(name)] });
  const value = values[0]?.value;
  return value === undefined ? undefined : Buffer.from(value).toString('utf8');
}

/**
 * The compliance suite of the storage role. Call it inside `describe`; the titles are the role's promises. S2, S7, S8 and
 * S10 are about what is on disk: they are tested where `createLasting` is given, which every store but one in memory can.
 */
export function testStorage(
  create: () => Promise<StorageUnderTest>,
  createLasting?: () => Promise<LastingStorageUnderTest>,
): void {
  const promise = (number: string): string => promiseOf(Storage, number);
  let subject: StorageUnderTest;
  let storage: Store;

  beforeEach(async () => {
    subject = await create();
    storage = subject.storage;
  });
  afterEach(async () => {
    await subject.dispose();
  });

  it(promise('S1'), async () => {
    await storage.write(request([put('a', '1', 'chain'), put('b', '2', 'pool')]));
    const refused = request([put('a', '9', 'chain'), put('b', '9', 'pool'), put('c', '9', 'p2p')], {
      when: [{ namespace: 'wal', key: key('absent'), value: key('x') }],
    });
    expect(await codeOf(storage.write(refused))).to.equal('ERR_STORAGE_CONDITION');
    expect(await valueOf(storage, 'a', 'chain')).to.equal('1');
    expect(await valueOf(storage, 'b', 'pool')).to.equal('2');
    expect(await valueOf(storage, 'c', 'p2p')).to.equal(undefined);
  });

  it(promise('S3'), async () => {
    await storage.write(request([put('tip', '0')]));
    // Twenty writers race from one value: exactly one may win.
    const race = Array.from({ length: 20 }, (_, index) =>
      codeOf(
        storage.write(
          request([put('tip', `${index + 1}`), put(`won/${index + 1}`, 'x')], {
            when: [{ namespace: 'app', key: key('tip'), value: key('0') }],
            sync: index % 2 === 0,
          }),
        ),
      ),
    );
    const outcomes = await Promise.all(race);
    expect(outcomes.filter((outcome) => outcome.startsWith('answered'))).to.have.length(1);
    expect(outcomes.filter((outcome) => outcome === 'ERR_STORAGE_CONDITION')).to.have.length(19);
    const winner = (await valueOf(storage, 'tip')) ?? '';
    const won = await storage.range({
      namespace: 'app',
      from: key('won/'),
      to: key('won0'),
      limit: 0,
      maxBytes: 0,
      reverse: false,
    });
    expect(won.entries.map((entry) => Buffer.from(entry.key).toString('utf8'))).to.deep.equal([`won/${winner}`]);
    // A condition without a value wants the key absent; an empty value is a value.
    const absent = { when: [{ namespace: 'app', key: key('empty') } as const] };
    await storage.write(request([put('empty', '')], absent));
    expect(await codeOf(storage.write(request([put('empty', '1')], absent)))).to.equal('ERR_STORAGE_CONDITION');
    await storage.write(
      request([put('empty', '2')], { when: [{ namespace: 'app', key: key('empty'), value: key('') }] }),
    );
    expect(await valueOf(storage, 'empty')).to.equal('2');
  });

  it(promise('S4'), async () => {
    for (let round = 0; round < 20; round += 1) {
      await storage.write(request([put('k', `${round}`)], { sync: round % 5 === 0 }));
      expect(await valueOf(storage, 'k')).to.equal(`${round}`);
    }
    await storage.write(request([{ namespace: 'app', key: key('k') }]));
    expect(await valueOf(storage, 'k')).to.equal(undefined);
    // The last of several writes of one key in one batch holds.
    await storage.write(request([put('k', 'a'), { namespace: 'app', key: key('k') }, put('k', 'b')]));
    expect(await valueOf(storage, 'k')).to.equal('b');
  });

  it(promise('S5'), async () => {
    const names = ['', '\0', 'a', 'a\0', 'aa', 'b', 'é', '\u{1f600}', 'z'.repeat(300)].map(key);
    const keys = [...names, new Uint8Array([255]), new Uint8Array([255, 255, 0])].sort(compareBytes);
    await storage.write(request([...keys].reverse().map((one) => ({ namespace: 'pool', key: one, value: one }))));
    await storage.write(request([put('a', 'of another namespace', 'chain'), put('a', 'of another namespace', 'wal')]));
    const all = { namespace: 'pool', from: key(''), limit: 0, maxBytes: 0 } as const;
    const forward = await storage.range({ ...all, reverse: false });
    expect(forward.entries.map((entry) => Buffer.from(entry.key))).to.deep.equal(keys.map((one) => Buffer.from(one)));
    expect(forward.more).to.equal(false);
    const backward = await storage.range({ ...all, reverse: true });
    expect(backward.entries.map((entry) => Buffer.from(entry.key))).to.deep.equal(
      keys.map((one) => Buffer.from(one)).reverse(),
    );
    const inner = await storage.range({ ...all, from: key('a'), to: key('b'), reverse: false });
    expect(inner.entries.map((entry) => Buffer.from(entry.key).toString())).to.deep.equal(['a', 'a\0', 'aa']);

    // Pages: behind the last key forward, up to it backward; the smallest page still gets on.
    const paged: Buffer[] = [];
    let from: Uint8Array = key('');
    for (let more = true; more;) {
      const page = await storage.range({ ...all, from, limit: 2, maxBytes: 1, reverse: false });
      expect(page.entries).to.have.length(1);
      for (const entry of page.entries) {
        paged.push(Buffer.from(entry.key));
        from = Buffer.concat([entry.key, new Uint8Array([0])]);
      }
      more = page.more;
      expect(paged.length).to.be.at.most(keys.length);
    }
    expect(paged).to.deep.equal(keys.map((one) => Buffer.from(one)));
    const limited = await storage.range({ ...all, limit: 3, reverse: true });
    expect(limited.more).to.equal(true);
    const rest = await storage.range({ ...all, to: limited.entries[2]?.key ?? key(''), reverse: true });
    expect(rest.entries).to.have.length(keys.length - 3);
  });

  it(promise('S6'), async () => {
    const numbered = (sequence: number, value: string): WriteRequest =>
      request([put('n', value)], { writer: 'tester', sequence });
    expect((await storage.write(numbered(5, 'five'))).repeated).to.equal(false);
    expect((await storage.write(numbered(5, 'again'))).repeated).to.equal(true);
    expect(await valueOf(storage, 'n')).to.equal('five');
    expect(await codeOf(storage.write(numbered(4, 'four')))).to.equal('ERR_STORAGE_SEQUENCE');
    // A refused condition does not use the sequence up.
    const refused = {
      ...numbered(6, 'six'),
      when: [{ namespace: 'app', key: key('n'), value: key('wrong') } as const],
    };
    expect(await codeOf(storage.write(refused))).to.equal('ERR_STORAGE_CONDITION');
    const together = await Promise.all([storage.write(numbered(6, 'six')), storage.write(numbered(6, 'six'))]);
    expect(together.map((answer) => answer.repeated)).to.deep.equal([false, true]);
    expect((await storage.write({ ...numbered(1, 'other'), writer: 'somebody' })).repeated).to.equal(false);
  });

  it(promise('S9'), async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 80 })), {
          maxLength: 20,
          selector: ([name]) => Buffer.from(name).toString('hex'),
        }),
        async (entries) => {
          const writes = entries.map(([name, value]) => ({ namespace: 'p2p', key: name, value }) as const);
          await storage.write(request(writes));
          const { values } = await storage.read({ namespace: 'p2p', keys: entries.map(([name]) => name) });
          expect(values.map(({ value }) => value && Buffer.from(value))).to.deep.equal(
            entries.map(([, value]) => Buffer.from(value)),
          );
          await storage.write(request(entries.map(([name]) => ({ namespace: 'p2p', key: name }))));
          const left = await storage.range({ namespace: 'p2p', from: key(''), limit: 0, maxBytes: 0, reverse: false });
          expect(left.entries).to.have.length(0);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('verify walks every entry and finds a sound store sound', async () => {
    const before = await storage.verify({});
    await storage.write(request(Array.from({ length: 50 }, (_, index) => put(`k${index}`, 'v'))));
    const after = await storage.verify({});
    expect(after.problems).to.deep.equal([]);
    expect(after.entries - before.entries).to.be.at.least(50);
    expect(after.bytes).to.be.greaterThan(before.bytes);
  });

  if (createLasting !== undefined) testLasting(createLasting, promise);
}

/** The promises about what is on disk. */
function testLasting(create: () => Promise<LastingStorageUnderTest>, promise: (number: string) => string): void {
  describe('on disk', () => {
    let subject: LastingStorageUnderTest;
    beforeEach(async () => {
      subject = await create();
    });
    afterEach(async () => {
      await subject.dispose();
    });

    it(promise('S2'), async () => {
      for (let index = 0; index < 20; index += 1) {
        await subject.storage.write(request([put(`s${index}`, 'v')], { sync: true, writer: 'w', sequence: index }));
      }
      const crashed = await subject.crash();
      for (let index = 0; index < 20; index += 1) expect(await valueOf(crashed, `s${index}`)).to.equal('v');
      const answer = await crashed.write(request([put('s19', 'x')], { writer: 'w', sequence: 19 }));
      expect(answer.repeated).to.equal(true);
    });

    it(promise('S7'), async () => {
      await subject.storage.write(request([put('a', '1'), put('b', '', 'wal')], { writer: 'w', sequence: 7 }));
      const again = await subject.reopen();
      expect(await valueOf(again, 'a')).to.equal('1');
      expect(await valueOf(again, 'b', 'wal')).to.equal('');
      expect(await codeOf(again.write(request([], { writer: 'w', sequence: 6 })))).to.equal('ERR_STORAGE_SEQUENCE');
    });

    it(promise('S8'), async () => {
      const write = put('damaged', 'a value of some length, so that it is found in the files');
      await subject.storage.write(request([write], { sync: true }));
      expect(await codeOf(subject.readDamaged(write))).to.equal('ERR_STORAGE_DAMAGED');
    });

    it(promise('S10'), async () => {
      await subject.storage.write(request([put('a', '1')], { sync: true }));
      expect(await codeOf(subject.openLost())).to.equal('ERR_STORAGE_DAMAGED');
    });
  });
}
