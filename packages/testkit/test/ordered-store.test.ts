import { expect } from 'chai';
import {
  OrderedStore,
  compareBytes,
  definePlugin,
  failure,
  hasCode,
  serveStorage,
  storageSettings,
  toHex,
  utf8,
  z,
  Storage,
  type KeyChange,
  type KeyRange,
  type OrderedMap,
  type WriteRequest,
} from '@it-chain/contracts';
import { FakeContext, testStorage } from '@it-chain/testkit';

/** A map whose entries are an array, so that nothing sorts but the map itself. */
class ArrayMap implements OrderedMap {
  all: { key: Uint8Array; value: Uint8Array }[] = [];
  writes = 0;
  problems: string[] = [];
  fails: Error | undefined;
  closed = false;

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.fails !== undefined) return Promise.reject(this.fails);
    return Promise.resolve(this.all.find((one) => toHex(one.key) === toHex(key))?.value);
  }
  async *entries({ from, to, reverse }: KeyRange): AsyncGenerator<readonly [Uint8Array, Uint8Array]> {
    const inside = this.all.filter(({ key }) => compareBytes(key, from) >= 0 && compareBytes(key, to) < 0);
    for (const { key, value } of reverse ? inside.reverse() : inside)
      yield await Promise.resolve([key, value] as const);
  }
  async write(changes: readonly KeyChange[]): Promise<void> {
    await Promise.resolve();
    if (this.fails !== undefined) throw this.fails;
    this.writes += 1;
    for (const { key, value } of changes) {
      this.all = this.all.filter((one) => toHex(one.key) !== toHex(key));
      if (value !== undefined) this.all.push({ key, value });
    }
    this.all.sort((a, b) => compareBytes(a.key, b.key));
  }
  check(): string[] {
    return this.problems;
  }
  close(): void {
    this.closed = true;
  }
}

const settings = { maxQueuedBytes: 1024 * 1024 };
const put = (key: string, value: string, more: Partial<WriteRequest> = {}): WriteRequest => ({
  writes: [{ namespace: 'app', key: utf8(key), value: utf8(value) }],
  when: [],
  sync: true,
  writer: '',
  sequence: 0,
  ...more,
});
const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'done',
    (error: unknown) => (error as { code?: unknown }).code,
  );

describe('OrderedStore as the storage role', () => {
  testStorage(async () => {
    const map = new ArrayMap();
    return {
      storage: new OrderedStore(map, settings),
      reopen: async () => new OrderedStore(map, settings),
      dispose: async () => undefined,
    };
  });
});

describe('OrderedStore', () => {
  it('keeps the sequence of a writer in the batch of its write, so that it is there after reopening', async () => {
    const map = new ArrayMap();
    await new OrderedStore(map, settings).write(put('a', '1', { writer: 'chain', sequence: 7 }));
    expect(map.writes).to.equal(1);
    const again = new OrderedStore(map, settings);
    expect(await again.write(put('a', '2', { writer: 'chain', sequence: 7 }))).to.deep.equal({ repeated: true });
    expect(await codeOf(again.write(put('a', '3', { writer: 'chain', sequence: 6 })))).to.equal('ERR_STORAGE_SEQUENCE');
    expect(map.writes).to.equal(1);
  });

  it('shows the sequences of writers in no namespace, and no namespace in another', async () => {
    const store = new OrderedStore(new ArrayMap(), settings);
    await store.write(put('a', '1', { writer: 'w', sequence: 1 }));
    const all = { from: new Uint8Array(0), limit: 0, maxBytes: 0, reverse: false };
    for (const namespace of ['chain', 'pool', 'wal', 'p2p'] as const) {
      expect((await store.range({ namespace, ...all })).entries).to.deep.equal([]);
    }
    expect((await store.range({ namespace: 'app', ...all })).entries).to.have.length(1);
    expect((await store.verify()).entries).to.equal(1);
  });

  it('answers nothing any more once a write has failed, for nobody knows what is on disk', async () => {
    const map = new ArrayMap();
    const told: Error[] = [];
    const store = new OrderedStore(map, settings, { failing: (error) => told.push(error) });
    map.fails = new Error('EIO');
    expect(await codeOf(store.write(put('a', '1')))).to.equal('ERR_STORAGE_IO');
    map.fails = undefined;
    expect(await codeOf(store.write(put('a', '2')))).to.equal('ERR_STORAGE_IO');
    expect(await codeOf(store.read({ namespace: 'app', keys: [utf8('a')] }))).to.equal('ERR_STORAGE_IO');
    expect(told.map((error) => error.message)).to.deep.equal(['it cannot be written: EIO']);
    expect(map.writes).to.equal(0);
  });

  it('refuses what is over the limit of the queue, and goes on when there is room', async () => {
    const store = new OrderedStore(new ArrayMap(), { maxQueuedBytes: 200 });
    const first = store.write(put('a', 'x'.repeat(150)));
    expect(await codeOf(store.write(put('b', 'x'.repeat(150))))).to.equal('ERR_STORAGE_BUSY');
    await first;
    expect(await codeOf(store.write(put('b', 'x'.repeat(150))))).to.equal('done');
    expect(store.queuedBytes).to.equal(0);
  });

  it('keeps copies: neither who wrote nor who read can change what is stored', async () => {
    const store = new OrderedStore(new ArrayMap(), settings);
    const value = utf8('one');
    await store.write({ ...put('a', ''), writes: [{ namespace: 'app', key: utf8('a'), value }] });
    value.fill(0);
    const read = async () => (await store.read({ namespace: 'app', keys: [utf8('a')] })).values[0]?.value;
    (await read())?.fill(1);
    expect(Buffer.from((await read()) ?? []).toString()).to.equal('one');
  });

  it('tells the problems that the map finds', async () => {
    const map = new ArrayMap();
    map.problems = ['line 3 is damaged'];
    expect((await new OrderedStore(map, settings).verify()).problems).to.deep.equal(['line 3 is damaged']);
  });
});

describe('serveStorage', () => {
  const map = new ArrayMap();
  const config = z.strictObject(storageSettings).prefault({});
  const plugin = definePlugin({
    name: 'array',
    version: '1.0.0',
    provides: [Storage],
    config,
    setup: (context) => serveStorage(context, () => Promise.resolve(map)),
  });

  it('opens with the plugin, closes with it, and is closed before and after', async () => {
    const context = new FakeContext({ config: config.parse({}) });
    const running = await context.setup(plugin);
    const role = context.servedRole(Storage);
    expect(await codeOf(role.write(put('a', '1')))).to.equal('ERR_STORAGE_CLOSED');
    await running.start();
    expect(await role.write(put('a', '1'))).to.deep.equal({ repeated: false });
    await running.stop();
    expect(map.closed).to.equal(true);
    expect(await codeOf(role.read({ namespace: 'app', keys: [] }))).to.equal('ERR_STORAGE_CLOSED');
  });

  for (const [what, error, kind] of [
    ['cannot be written', new Error('EIO'), 'io'],
    ['is damaged', failure('ERR_STORAGE_DAMAGED', 'the value of a key'), 'damaged'],
  ] as const) {
    it(`ends the node, and says why, where the map ${what}`, async () => {
      const failing = new ArrayMap();
      const context = new FakeContext({ config: config.parse({}) });
      const served = definePlugin({
        ...plugin,
        setup: (made) => serveStorage(made, () => Promise.resolve(failing)),
      });
      const running = await context.setup(served);
      await running.start();
      failing.fails = error;
      const role = context.servedRole(Storage);
      await codeOf(kind === 'io' ? role.write(put('a', '1')) : role.read({ namespace: 'app', keys: [utf8('a')] }));
      expect(context.fatals.map((fatal) => fatal.kind)).to.deep.equal([kind]);
      expect(context.lastHealth.state).to.equal('failing');
      const [told] = context.told(Storage.events.failing);
      expect(told?.code).to.equal(hasCode(error, 'ERR_STORAGE_DAMAGED') ? 'ERR_STORAGE_DAMAGED' : 'ERR_STORAGE_IO');
      await running.stop();
    });
  }
});
