import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OrderedStore } from '@it-chain/contracts';
import { testPlugin, testStorage } from '@it-chain/testkit';
import plugin from '../src/index.js';
import { Journal } from '../src/journal.js';

describe('my-plugin', () => {
  testPlugin(plugin);
});

describe('my-plugin as the storage role', () => {
  const create = async () => {
    const folder = mkdtempSync(join(tmpdir(), 'my-plugin-'));
    const [file, made] = [join(folder, 'journal'), join(folder, 'made')];
    const stores: OrderedStore[] = [];
    const open = async (journal = file) => {
      const store = new OrderedStore(await Journal.open(journal, made), { maxQueuedBytes: 1_048_576 });
      stores.push(store);
      return store;
    };
    const close = () => Promise.all(stores.splice(0).map((store) => store.close()));
    return {
      storage: await open(),
      reopen: async () => {
        await close();
        return open();
      },
      crash: async () => {
        copyFileSync(file, `${file}.copy`);
        return open(`${file}.copy`);
      },
      readDamaged: async () => {
        await close();
        const bytes = readFileSync(file);
        bytes[80] = bytes[80]! ^ 1;
        writeFileSync(file, bytes);
        return open();
      },
      openLost: async () => {
        await close();
        rmSync(file);
        return open();
      },
      dispose: async () => {
        await close();
        rmSync(folder, { recursive: true });
      },
    };
  };
  testStorage(create, create);
});
