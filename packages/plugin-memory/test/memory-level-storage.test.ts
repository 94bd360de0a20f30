import { expect } from 'chai';
import fc from 'fast-check';
import { Storage, utf8, type Write, type WriteRequest } from '@it-chain/contracts';
import { FakeContext } from '@it-chain/testkit';
import memoryPlugin, { MemoryConfig, MemoryLevelStorage } from '@it-chain/plugin-memory';

const MiB = 1024 * 1024;
const writing = (writes: readonly Write[], more: Partial<WriteRequest> = {}): WriteRequest => ({
  writes,
  when: [],
  sync: false,
  writer: '',
  sequence: 0,
  ...more,
});
const put = (key: string, value: Uint8Array): Write => ({ namespace: 'app', key: utf8(key), value });
const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'answered',
    (error: unknown) => (error as { code?: unknown }).code,
  );

describe('MemoryLevelStorage', () => {
  let failures: Error[];
  let storage: MemoryLevelStorage;
  beforeEach(() => {
    failures = [];
    storage = new MemoryLevelStorage(
      { ...MemoryConfig.parse(undefined), maxBytes: MiB, maxQueuedBytes: 2 * MiB },
      { failing: (error) => failures.push(error) },
    );
  });
  afterEach(() => storage.close());

  it('keeps no bytes of its callers and gives none of its own away', async () => {
    const value = utf8('before');
    const key = utf8('k');
    await storage.write(writing([{ namespace: 'app', key, value }]));
    value.fill(0);
    key.fill(0);
    const read = async (): Promise<Uint8Array | undefined> =>
      (await storage.read({ namespace: 'app', keys: [utf8('k')] })).values[0]?.value;
    const given = await read();
    expect(Buffer.from(given ?? []).toString()).to.equal('before');
    given?.fill(0);
    const ranged = await storage.range({ namespace: 'app', from: utf8(''), limit: 0, maxBytes: 0, reverse: false });
    ranged.entries[0]?.value.fill(0);
    ranged.entries[0]?.key.fill(0);
    expect(Buffer.from((await read()) ?? []).toString()).to.equal('before');
  });

  it('is full like a disk: the write is refused whole, it is told once, and nothing is answered as kept after that', async () => {
    await storage.write(writing([put('a', new Uint8Array(600_000))]));
    // What replaces as much as it brings still fits.
    await storage.write(writing([put('a', new Uint8Array(900_000))]));
    expect(await codeOf(storage.write(writing([put('b', new Uint8Array(200_000))])))).to.equal('ERR_STORAGE_IO');
    expect(await codeOf(storage.write(writing([put('c', utf8('small'))])))).to.equal('ERR_STORAGE_IO');
    expect(failures).to.have.length(1);
  });

  it('counts what it holds, whatever is written, written twice and deleted', async () => {
    const write = fc.record({
      name: fc.constantFrom('a', 'b', 'c'),
      value: fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(write, { maxLength: 6 }), { maxLength: 6 }), async (batches) => {
        const one = new MemoryLevelStorage(MemoryConfig.parse(undefined), { failing: (error) => failures.push(error) });
        for (const batch of batches) {
          await one.write(
            writing(batch.map(({ name, value }) => ({ namespace: 'pool' as const, key: utf8(name), value }))),
          );
        }
        expect(one.bytes).to.equal((await one.verify()).bytes);
        await one.close();
      }),
      { numRuns: 50 },
    );
  });

  it('refuses more writes than may wait, and takes them when there is room again', async () => {
    const first = storage.write(writing([put('a', new Uint8Array(900_000))]));
    const second = storage.write(writing([put('a', new Uint8Array(900_000))]));
    expect(await codeOf(storage.write(writing([put('a', new Uint8Array(900_000))])))).to.equal('ERR_STORAGE_BUSY');
    await Promise.all([first, second]);
    await storage.write(writing([put('a', new Uint8Array(900_000))]));
  });

  it('finishes what waits before it closes, and answers nothing after', async () => {
    const waiting = storage.write(writing([put('a', utf8('1'))]));
    await storage.close();
    expect(await waiting).to.deep.equal({ repeated: false });
    expect(await codeOf(storage.read({ namespace: 'app', keys: [utf8('a')] }))).to.equal('ERR_STORAGE_CLOSED');
    expect(await codeOf(storage.write(writing([put('a', utf8('1'))])))).to.equal('ERR_STORAGE_CLOSED');
  });
});

describe('the plugin memory', () => {
  it('says at its start that nothing survives, and ends the process when it is full', async () => {
    const config = { ...MemoryConfig.parse(undefined), maxBytes: MiB };
    const context = new FakeContext({ config });
    const running = await context.setup(memoryPlugin);
    await running.start();
    expect(context.log.lines.map(({ level, message }) => `${level} ${message}`).join()).to.match(
      /warn .*nothing in it survives/,
    );
    const storage = context.servedRole(Storage);
    expect(await codeOf(storage.write(writing([put('a', new Uint8Array(2 * MiB))])))).to.equal('ERR_STORAGE_IO');
    expect(context.fatals.map(({ kind }) => kind)).to.deep.equal(['io']);
    expect(context.told(Storage.events.failing).map(({ code }) => code)).to.deep.equal(['ERR_STORAGE_IO']);
    await running.stop();
  });
});
