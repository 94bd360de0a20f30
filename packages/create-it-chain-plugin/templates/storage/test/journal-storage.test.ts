import { deepEqual } from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '@it-chain/contracts';
import { JournalStorage } from '../src/journal-storage.js';

describe('the journal', () => {
  it('leaves out a last line that a power cut has cut off, and goes on behind the one before', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'my-plugin-'));
    const open = () => JournalStorage.open(join(folder, 'journal'), join(folder, 'made'), { sync: true });
    const write = async (store: JournalStorage, key: string) => {
      const writes = [{ namespace: 'app' as const, key: utf8(key), value: utf8(key) }];
      await store.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
      await store.close();
    };
    await write(await open(), 'first');
    appendFileSync(join(folder, 'journal'), 'a8f5f167f44f4964e6c998dee827110c');
    await write(await open(), 'second');
    const store = await open();
    const { values } = await store.read({ namespace: 'app', keys: ['first', 'second'].map(utf8) });
    deepEqual(
      values.map(({ value }) => Buffer.from(value!).toString()),
      ['first', 'second'],
    );
    await store.close();
    rmSync(folder, { recursive: true });
  });
});
