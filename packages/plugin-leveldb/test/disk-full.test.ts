import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { utf8 } from '@it-chain/contracts';
import { ManualClock, RecordingLog } from '@it-chain/testkit';
import { LevelDbConfig, LevelStorage } from '@it-chain/plugin-leveldb';
import { writing } from './fixture.js';

const folder = mkdtempSync(join(tmpdir(), 'it-chain-full-'));

/** A file system of 8 MiB, where this user may mount one. */
function mounted(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    // Not allowed in this container: the suite is not defined here.
    return false;
  }
}

if (mounted()) {
  describe('a disk that is really full', () => {
    after(async () => {
      execFileSync('umount', [folder]);
      await rm(folder, { recursive: true });
    });

    it('ends the writing with ERR_STORAGE_IO, loses nothing that was synced, and opens again when there is space', async () => {
      const failures: unknown[] = [];
      const clock = new ManualClock();
      const dependencies = { clock, log: new RecordingLog(), random: (length: number) => new Uint8Array(length) };
      const options = { ...LevelDbConfig.parse(undefined), minFreeBytes: 0, directory: join(folder, 'store') };
      const failing = (error: Error) => failures.push((error as { code?: unknown }).code);
      const storage = await LevelStorage.open(options, { ...dependencies, failing });
      await writeFile(join(folder, 'ballast'), Buffer.alloc(4 * 1024 * 1024));
      let written = 0;
      let code: unknown;
      while (code === undefined && written < 1_000) {
        await storage.write(writing([[`k${written}`, 'x'.repeat(50_000)]], { sync: true })).then(
          () => (written += 1),
          (error: unknown) => (code = (error as { code?: unknown }).code),
        );
      }
      expect(code).to.equal('ERR_STORAGE_IO');
      expect(failures).to.deep.equal(['ERR_STORAGE_IO']);
      await storage.close();
      await rm(join(folder, 'ballast'));
      const again = await LevelStorage.open(options, { ...dependencies, failing });
      const keys = Array.from({ length: written }, (_, index) => utf8(`k${index}`));
      const { values } = await again.read({ namespace: 'app', keys });
      expect(values.every(({ value }) => value?.length === 50_000)).to.equal(true);
      await again.close();
    });
  });
} else {
  after(() => rm(folder, { recursive: true, force: true }));
}
