import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { testStorage } from '@it-chain/testkit';
import type { Write } from '@it-chain/contracts';
import { StoreFolder } from './fixture.js';

async function make() {
  const folder = await StoreFolder.make();
  const storage = await folder.open();
  const copies: StoreFolder[] = [];
  const readDamaged = async ({ namespace, key, value }: Write) => {
    await folder.closeAll();
    // A first reopening moves the write-ahead log into a table, whose checksums are not looked at when reading.
    await folder.open();
    await folder.closeAll();
    for (const file of await readdir(folder.files)) {
      const path = join(folder.files, file);
      const bytes = await readFile(path);
      const at = bytes.indexOf(value ?? key);
      if (at < 0) continue;
      bytes[at + 3] = (bytes[at + 3] ?? 0) ^ 4;
      await writeFile(path, bytes);
    }
    const damaged = await folder.open({ checkAtStartBytes: 0 });
    return damaged.read({ namespace, keys: [key] });
  };
  return {
    storage,
    reopen: async () => {
      await folder.closeAll();
      return folder.open();
    },
    crash: async () => {
      const copy = await folder.copy();
      copies.push(copy);
      return copy.open();
    },
    readDamaged,
    openLost: async () => {
      await folder.closeAll();
      await rm(join(folder.root, 'store'), { recursive: true });
      return folder.open();
    },
    dispose: async () => {
      for (const one of [folder, ...copies]) await one.dispose();
    },
  };
}

describe('LevelStorage as the storage role', () => {
  testStorage(make, make);
});
