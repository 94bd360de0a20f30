import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { Storage, utf8 } from '@it-chain/contracts';
import { FakeContext } from '@it-chain/testkit';
import leveldb, { LevelDbConfig } from '@it-chain/plugin-leveldb';
import { StoreFolder, writing } from './fixture.js';

const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'answered',
    (error: unknown) => (error as { code?: unknown }).code,
  );

describe('LevelStorage', () => {
  let folder: StoreFolder;
  beforeEach(async () => {
    folder = await StoreFolder.make();
  });
  afterEach(async () => {
    await folder.dispose();
  });

  it('gives the space of deleted entries back when it compacts', async () => {
    const storage = await folder.open({ writeBufferBytes: 64 * 1024 });
    const sizeOf = async (): Promise<number> => {
      const names = await readdir(folder.files);
      // LevelDB may delete a file between the listing and the look at it: then it takes no space.
      const size = (name: string): Promise<number> =>
        stat(join(folder.files, name)).then(
          (found) => found.size,
          () => 0,
        );
      const sizes = await Promise.all(names.map(size));
      return sizes.reduce((sum, one) => sum + one, 0);
    };
    const keys = Array.from({ length: 400 }, (_, index) => `k${String(index).padStart(3, '0')}`);
    for (const key of keys) await storage.write(writing([[key, 'x'.repeat(20_000)]]));
    const full = await sizeOf();
    expect(full).to.be.greaterThan(7_000_000);
    const removals = keys.slice(0, 390).map((key) => ({ namespace: 'app' as const, key: utf8(key) }));
    await storage.write({ ...writing([]), writes: removals, sync: true });
    await storage.compact({ namespace: 'app', from: utf8('k'), to: utf8('l') });
    expect(await sizeOf()).to.be.lessThan(1_000_000);
    const { values } = await storage.read({ namespace: 'app', keys: keys.map(utf8) });
    expect(values.filter(({ value }) => value !== undefined)).to.have.length(10);
  });

  it('refuses a second opener and names the process that holds the store', async () => {
    await folder.open();
    const error = await folder.open().then(
      () => undefined,
      (thrown: unknown) => thrown as { code: string; message: string },
    );
    expect(error?.code).to.equal('ERR_STORAGE_IN_USE');
    expect(error?.message).to.contain(`process ${process.pid}`);
  });

  it('opens although a LOCK file and the note of a dead owner were left over', async () => {
    await folder.open();
    await folder.closeAll();
    await writeFile(join(folder.files, 'LOCK'), '');
    await writeFile(join(folder.root, 'store', 'owner'), '99999999\n');
    await folder.open();
  });

  it('answers ERR_STORAGE_CLOSED when it is closed', async () => {
    const storage = await folder.open();
    await storage.close();
    await storage.close();
    expect(await codeOf(storage.read({ namespace: 'app', keys: [utf8('a')] }))).to.equal('ERR_STORAGE_CLOSED');
    expect(await codeOf(storage.write(writing([['a', '1']])))).to.equal('ERR_STORAGE_CLOSED');
    expect(await codeOf(storage.verify())).to.equal('ERR_STORAGE_CLOSED');
    expect(folder.failures).to.deep.equal([]);
  });

  it('finishes the writes that wait when it is closed', async () => {
    const storage = await folder.open();
    const writes = Array.from({ length: 50 }, (_, index) => storage.write(writing([[`k${index}`, 'v']])));
    await storage.close();
    await Promise.all(writes);
    const again = await folder.open();
    const { values } = await again.read({ namespace: 'app', keys: [utf8('k49')] });
    expect(values[0]?.value).to.not.equal(undefined);
  });

  it('does not start where less than the low-water mark is free', async () => {
    const space = () => Promise.resolve({ free: 10, size: 1_000 });
    expect(await codeOf(folder.open({ minFreeBytes: 1_000, minFreePercent: 5 }, { space }))).to.equal('ERR_STORAGE_IO');
    // It let go of the store.
    await folder.open();
  });

  it('stops taking writes when the disk runs low, tells it once, and still answers reads', async () => {
    let free = 900;
    const space = () => Promise.resolve({ free, size: 1_000 });
    const storage = await folder.open({ minFreeBytes: 1_000, minFreePercent: 5 }, { space });
    await storage.write(writing([['a', '1']]));
    free = 49;
    await folder.clock.advance(11_000);
    expect(folder.failures.map((error) => (error as { code?: unknown }).code)).to.deep.equal(['ERR_STORAGE_IO']);
    expect(await codeOf(storage.write(writing([['a', '2']])))).to.equal('ERR_STORAGE_IO');
    const { values } = await storage.read({ namespace: 'app', keys: [utf8('a')] });
    expect(Buffer.from(values[0]?.value ?? []).toString()).to.equal('1');
  });

  it('refuses writes beyond its queue, and takes them again afterwards', async () => {
    const storage = await folder.open({ maxQueuedBytes: 1_000 });
    const big = 'x'.repeat(600);
    const outcomes = await Promise.all([1, 2, 3].map((n) => codeOf(storage.write(writing([[`k${n}`, big]])))));
    expect(outcomes).to.deep.equal(['answered', 'ERR_STORAGE_BUSY', 'ERR_STORAGE_BUSY']);
    expect(storage.queuedBytes).to.equal(0);
    expect(await codeOf(storage.write(writing([['k2', big]])))).to.equal('answered');
  });

  it('writes more than one group holds in order', async () => {
    const storage = await folder.open({ maxGroupBytes: 300 });
    await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        storage.write(
          writing([
            ['k', `${index}`],
            ['pad', 'x'.repeat(90)],
          ]),
        ),
      ),
    );
    const { values } = await storage.read({ namespace: 'app', keys: [utf8('k')] });
    expect(Buffer.from(values[0]?.value ?? []).toString()).to.equal('29');
  });
});

describe('the plugin', () => {
  it('serves the role between start and stop, and ends the process when the disk runs low', async () => {
    const folder = await StoreFolder.make();
    const config = LevelDbConfig.parse({ minFreeBytes: 0 });
    const context = new FakeContext({ config, dataDir: join(folder.root, 'store') });
    const running = await context.setup(leveldb);
    const storage = context.servedRole(Storage);
    expect(await codeOf(storage.write(writing([['a', '1']])))).to.equal('ERR_STORAGE_CLOSED');
    await running.start();
    expect((await storage.write(writing([['a', '1']], { sync: true }))).repeated).to.equal(false);
    expect((await storage.verify({})).problems).to.deep.equal([]);
    await running.stop();
    expect(await codeOf(storage.write(writing([['a', '1']])))).to.equal('ERR_STORAGE_CLOSED');
    expect(context.fatals).to.deep.equal([]);
    await folder.dispose();
  });

  it('refuses a config with an unknown key', () => {
    expect(LevelDbConfig.safeParse({ minFreeByte: 1 }).success).to.equal(false);
    expect(LevelDbConfig.safeParse(undefined).success).to.equal(true);
  });
});
