import { expect } from 'chai';
import { utf8, type Write, type WriteRequest } from '@it-chain/contracts';
import { StoreUnderTest } from './support/store.js';
import { withDatabase } from './support/server.js';

const writing = (entries: readonly (readonly [string, string])[], more: Partial<WriteRequest> = {}): WriteRequest => {
  const writes = entries.map(([key, value]): Write => ({ namespace: 'app', key: utf8(key), value: utf8(value) }));
  return { writes, when: [], sync: true, writer: '', sequence: 0, ...more };
};
const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'answered',
    (error: unknown) => (error as { code?: unknown }).code,
  );

withDatabase('PostgresStorage', (url) => {
  let store: StoreUnderTest;
  beforeEach(async () => {
    store = await StoreUnderTest.make(url);
  });
  afterEach(() => store.dispose());

  const value = async (storage: Awaited<ReturnType<StoreUnderTest['open']>>, key: string): Promise<string> => {
    const { values } = await storage.read({ namespace: 'app', keys: [utf8(key)] });
    return Buffer.from(values[0]?.value ?? []).toString();
  };

  it('several nodes share one database, each in its schema', async () => {
    const other = await StoreUnderTest.make(url);
    const [a, b] = [await store.open(), await other.open()];
    await a.write(writing([['k', 'of a']]));
    await b.write(writing([['k', 'of b']]));
    expect([await value(a, 'k'), await value(b, 'k')]).to.deep.equal(['of a', 'of b']);
    await other.dispose();
  });

  it('a schema has one owner: a second process is refused while the first lives', async () => {
    const first = await store.open();
    expect(await codeOf(store.open({ reconnectMs: 0 }))).to.equal('ERR_STORAGE_IN_USE');
    await first.close();
    await store.open();
  });

  it('loses nothing and does nothing twice when its connections break under writes', async () => {
    const storage = await store.open();
    const done = new AbortController();
    const cutting = (async () => {
      while (!done.signal.aborted) {
        await store.cutConnections();
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
    })();
    for (let index = 1; index <= 100; index += 1) {
      const when =
        index === 1 ? [] : [{ namespace: 'app' as const, key: utf8('counter'), value: utf8(`${index - 1}`) }];
      // Done twice, or lost, the next condition would not hold.
      await storage.write(
        writing(
          [
            ['counter', `${index}`],
            [`k${index}`, 'x'],
          ],
          { when },
        ),
      );
    }
    done.abort();
    await cutting;
    expect(await value(storage, 'counter')).to.equal('100');
    const { entries } = await storage.range({
      namespace: 'app',
      from: utf8('k'),
      limit: 0,
      maxBytes: 0,
      reverse: false,
    });
    expect(entries).to.have.length(100);
    expect(store.failures).to.deep.equal([]);
  });

  it("refuses a store that is another node's, and one that somebody else has written to", async () => {
    const storage = await store.open();
    await storage.write(writing([['a', '1']]));
    await store.sql(`UPDATE ${store.schema}.store SET batch = batch + 1`);
    expect(await codeOf(storage.write(writing([['a', '2']])))).to.equal('ERR_STORAGE_DAMAGED');
    expect(store.failures).to.have.length(1);
    await store.closeAll();
    await store.sql(`UPDATE ${store.schema}.store SET store_id = 'another'`);
    expect(await codeOf(store.open())).to.equal('ERR_STORAGE_DAMAGED');
  });

  it('verify names what is damaged', async () => {
    const storage = await store.open();
    await storage.write(
      writing([
        ['a', '1'],
        ['b', '2'],
      ]),
    );
    await store.sql(`UPDATE ${store.schema}.entries SET value = value || '\\x00' WHERE key = $1`, [Buffer.from('b')]);
    const { problems, entries } = await storage.verify();
    expect(entries).to.equal(2);
    expect(problems).to.deep.equal(['the value of app/62 does not match its checksum']);
  });

  it('a database that cannot be reached is an error that says so', async () => {
    const error = await store.open({ url: 'postgres://node@127.0.0.1:1/none', reconnectMs: 0 }).then(
      () => undefined,
      (thrown: unknown) => thrown as { code: string; message: string },
    );
    expect(error?.code).to.equal('ERR_STORAGE_IO');
    expect(error?.message).to.include('cannot be reached');
  });

  it('a range is bounded in bytes before its values are fetched', async () => {
    const storage = await store.open();
    const large = 'x'.repeat(300_000);
    await storage.write(writing(Array.from({ length: 10 }, (_, index) => [`${index}`, large] as const)));
    const page = await storage.range({
      namespace: 'app',
      from: utf8(''),
      limit: 0,
      maxBytes: 1_000_000,
      reverse: true,
    });
    expect(page.entries.map(({ key }) => Buffer.from(key).toString())).to.deep.equal(['9', '8', '7']);
    expect(page.more).to.equal(true);
  });
});
