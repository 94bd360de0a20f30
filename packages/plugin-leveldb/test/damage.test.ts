import { readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { utf8 } from '@it-chain/contracts';
import { liveTables } from '@it-chain/plugin-leveldb';
import { StoreFolder, writing } from './fixture.js';

/** A small generator with a fixed seed, so that a failure can be repeated. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Opens the store and reads all that was written: `sound`, `missing`, `wrong`, or the code of the error. */
async function outcome(folder: StoreFolder, count: number): Promise<string> {
  try {
    const storage = await folder.open();
    const keys = Array.from({ length: count }, (_, index) => utf8(`key/${index}`));
    const { values } = await storage.read({ namespace: 'app', keys });
    if (values.some(({ value }) => value === undefined)) return 'missing';
    const wrong = values.some(({ value }, index) => Buffer.from(value ?? []).toString() !== valueFor(index));
    return wrong ? 'wrong' : 'sound';
  } catch (error) {
    return String((error as { code?: unknown }).code ?? error);
  }
}

const valueFor = (index: number): string => `${index}:${'x'.repeat(200)}`;
const COUNT = 2_000;

async function fill(folder: StoreFolder): Promise<void> {
  const storage = await folder.open({ writeBufferBytes: 64 * 1024 });
  for (let from = 0; from < COUNT; from += 100) {
    const entries = Array.from({ length: 100 }, (_, at) => [`key/${from + at}`, valueFor(from + at)] as const);
    await storage.write(writing(entries, { sync: from % 500 === 0 }));
  }
  await folder.closeAll();
}

async function filesOf(folder: StoreFolder, pattern: RegExp): Promise<string[]> {
  // A table that a compaction has replaced may still lie there; LevelDB removes it when it opens next.
  const live = new Set((await liveTables(folder.files)).files);
  const names = (await readdir(folder.files))
    .filter((name) => pattern.test(name) && (live.has(name) || !name.endsWith('.ldb')))
    .sort();
  const paths = names.map((name) => join(folder.files, name));
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  return paths.filter((_, index) => (sizes[index] ?? 0) > 0);
}

async function flipBit(path: string, at: number, bit: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
  await writeFile(path, bytes);
}

const DAMAGED = 'ERR_STORAGE_DAMAGED';

describe('a damaged store', () => {
  let original: StoreFolder;
  const trials = Number(process.env['TRIALS'] ?? 20);

  before(async () => {
    original = await StoreFolder.make();
    await fill(original);
  });
  after(async () => {
    await original.dispose();
  });

  /** Damages a copy of the store `trials` times and collects what came of it. */
  async function trial(
    damage: (folder: StoreFolder, random: (below: number) => number) => Promise<void>,
  ): Promise<string[]> {
    const outcomes: string[] = [];
    for (let seed = 1; seed <= trials; seed += 1) {
      const folder = await original.copy();
      try {
        await damage(folder, numbers(seed * 7_919));
        outcomes.push(await outcome(folder, COUNT));
      } finally {
        await folder.dispose();
      }
    }
    return outcomes;
  }

  const pick = async (folder: StoreFolder, pattern: RegExp, random: (below: number) => number): Promise<string> => {
    const files = await filesOf(folder, pattern);
    const file = files[random(files.length)];
    if (file === undefined) throw new Error(`no file matches ${String(pattern)}`);
    return file;
  };
  const flipIn = (pattern: RegExp) => async (folder: StoreFolder, random: (below: number) => number) => {
    const file = await pick(folder, pattern, random);
    await flipBit(file, random((await stat(file)).size), random(8));
  };

  it('is opened whole where nothing was damaged', async () => {
    expect(new Set(await trial(() => Promise.resolve()))).to.deep.equal(new Set(['sound']));
  });

  it('with a flipped bit in a table is refused, or every value is still right', async () => {
    // The padding of a table's footer means nothing: only there a flip may go unnoticed, and changes nothing.
    const outcomes = await trial(flipIn(/\.ldb$/));
    expect(outcomes.filter((one) => one !== DAMAGED && one !== 'sound')).to.deep.equal([]);
    expect(outcomes.filter((one) => one === DAMAGED)).to.have.length.at.least(trials - 1);
  });

  it('with a flipped bit in the write-ahead log is refused', async () => {
    expect(new Set(await trial(flipIn(/\.log$/)))).to.deep.equal(new Set([DAMAGED]));
  });

  it('with a write-ahead log cut by 1 to 1,000 bytes is refused', async () => {
    const outcomes = await trial(async (folder, random) => {
      const file = await pick(folder, /\.log$/, random);
      await truncate(file, Math.max(0, (await stat(file)).size - 1 - random(1_000)));
    });
    expect(new Set(outcomes)).to.deep.equal(new Set([DAMAGED]));
  });

  it('with a flipped bit in the MANIFEST is refused', async () => {
    expect(new Set(await trial(flipIn(/^MANIFEST/)))).to.deep.equal(new Set([DAMAGED]));
  });

  it('without CURRENT is refused', async () => {
    const outcomes = await trial((folder) => rm(join(folder.files, 'CURRENT')));
    expect(new Set(outcomes)).to.deep.equal(new Set([DAMAGED]));
  });

  it('without one of its tables is refused', async () => {
    const outcomes = await trial(async (folder, random) => rm(await pick(folder, /\.ldb$/, random)));
    expect(new Set(outcomes)).to.deep.equal(new Set([DAMAGED]));
  });

  it('with the last 4 KiB of a table zeroed is refused', async () => {
    const outcomes = await trial(async (folder, random) => {
      const file = await pick(folder, /\.ldb$/, random);
      const bytes = await readFile(file);
      await writeFile(file, bytes.fill(0, Math.max(0, bytes.length - 4_096)));
    });
    expect(new Set(outcomes)).to.deep.equal(new Set([DAMAGED]));
  });

  it('without its marker, or with another, is refused', async () => {
    for (const damage of [
      (folder: StoreFolder) => rm(join(folder.root, 'store.json')),
      (folder: StoreFolder) => writeFile(join(folder.root, 'store.json'), '{"format":1,"storeId":"00"}'),
      (folder: StoreFolder) => writeFile(join(folder.root, 'store.json'), '{"format":99,"storeId":"00"}'),
      (folder: StoreFolder) => writeFile(join(folder.root, 'store.json'), 'not JSON'),
    ]) {
      const folder = await original.copy();
      await damage(folder);
      expect(await outcome(folder, COUNT)).to.equal(DAMAGED);
      await folder.dispose();
    }
  });

  it('replaced by an older copy of itself is refused', async () => {
    const old = await original.copy();
    const storage = await original.open();
    await storage.write(writing([['later', 'x']], { sync: true }));
    await original.closeAll();
    const mark = await readFile(join(original.root, 'store', 'mark'));
    await writeFile(join(old.root, 'store', 'mark'), mark);
    expect(await outcome(old, COUNT)).to.equal(DAMAGED);
    await old.dispose();
  });

  it('finds damage behind the limit of the first check while it runs, and says so', async () => {
    const folder = await original.copy();
    // Two of four blocks of every table: which one a read touches does not matter, the check reads them all.
    for (const file of await filesOf(folder, /\.ldb$/)) await flipBit(file, 100, 3);
    await folder.open({ checkAtStartBytes: 0, checkIntervalMs: 100 });
    // How long the reading takes is the disk's affair: a number of turns was too few on a busy one.
    for (const end = performance.now() + 15_000; folder.failures.length === 0 && performance.now() < end;) {
      await folder.clock.advance(100);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(folder.failures.map((error) => (error as { code?: unknown }).code)).to.deep.equal([DAMAGED]);
    await folder.dispose();
  });

  it('is told by verify with a sentence for each damaged value', async () => {
    const folder = await original.copy();
    const storage = await folder.open();
    for (const file of await filesOf(folder, /\.ldb$/)) await flipBit(file, 60, 3);
    const { problems, entries } = await storage.verify();
    expect(entries).to.be.at.least(COUNT);
    expect(problems.length).to.be.at.least(1);
    await folder.dispose();
  });
});

describe('a store after a crash', () => {
  it('keeps what was synced and drops a torn end that was not', async () => {
    const folder = await StoreFolder.make();
    const storage = await folder.open();
    await storage.write(writing([['synced', '1']], { sync: true }));
    await storage.write(writing([['lost', '1']]));
    const crashed = await folder.copy();
    // A power cut leaves the last, unsynced record with other bytes.
    const [log] = await filesOf(crashed, /\.log$/);
    if (log === undefined) throw new Error('no log');
    await flipBit(log, (await stat(log)).size - 5, 1);
    const again = await crashed.open();
    const { values } = await again.read({ namespace: 'app', keys: [utf8('synced'), utf8('lost')] });
    expect(values.map(({ value }) => value && Buffer.from(value).toString())).to.deep.equal(['1', undefined]);
    expect(crashed.log.of('warn')).to.have.length(1);
    for (const one of [folder, crashed]) await one.dispose();
  });

  it('finishes an initialisation that was cut before the marker was written', async () => {
    const folder = await StoreFolder.make();
    await folder.open();
    await folder.closeAll();
    await rm(join(folder.root, 'store.json'));
    const storage = await folder.open();
    expect((await storage.write(writing([['a', '1']]))).repeated).to.equal(false);
    await folder.dispose();
  });
});
