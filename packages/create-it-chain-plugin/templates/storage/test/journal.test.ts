import { deepEqual, rejects } from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8 } from '@it-chain/contracts';
import { Journal } from '../src/journal.js';

describe('the journal', () => {
  let folder = '';
  const file = () => join(folder, 'journal');
  const open = () => Journal.open(file(), join(folder, 'made'));
  const write = async (journal: Journal, key: string) => {
    await journal.write([{ key: utf8(key), value: utf8(key) }], true);
    await journal.close();
  };
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'my-plugin-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('leaves out a last line that a power cut has cut off, and goes on behind the one before', async () => {
    await write(await open(), 'first');
    appendFileSync(file(), 'a8f5f167f44f4964e6c998dee827110c');
    await write(await open(), 'second');
    const journal = await open();
    const values = ['first', 'second'].map((key) => Buffer.from(journal.get(utf8(key))!).toString());
    deepEqual(values, ['first', 'second']);
    await journal.close();
  });

  it('refuses a line that is not as it was written', async () => {
    await write(await open(), 'first');
    writeFileSync(file(), readFileSync(file(), 'utf8').replace('[', '{'));
    await rejects(open(), { code: 'ERR_STORAGE_DAMAGED' });
  });
});
