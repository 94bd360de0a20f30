import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { utf8, type Write, type WriteRequest } from '@it-chain/contracts';
import { ManualClock, RecordingLog } from '@it-chain/testkit';
import {
  LevelDbConfig,
  LevelStorage,
  type LevelStorageDependencies,
  type LevelStorageOptions,
} from '@it-chain/plugin-leveldb';

/** A folder for one test with a store in it, opened as often as the test likes. */
export class StoreFolder {
  readonly log = new RecordingLog();
  readonly clock = new ManualClock();
  readonly failures: Error[] = [];
  readonly #open = new Set<LevelStorage>();

  private constructor(readonly root: string) {}

  static async make(): Promise<StoreFolder> {
    return new StoreFolder(await mkdtemp(join(tmpdir(), 'it-chain-store-')));
  }

  /** Folder of LevelDB's files. */
  get files(): string {
    return join(this.root, 'store', 'db');
  }

  async open(
    options: Partial<LevelStorageOptions> = {},
    dependencies: Partial<LevelStorageDependencies> = {},
  ): Promise<LevelStorage> {
    let random = 0;
    const storage = await LevelStorage.open(
      { ...LevelDbConfig.parse(undefined), minFreeBytes: 0, directory: join(this.root, 'store'), ...options },
      {
        clock: this.clock,
        log: this.log,
        random: (length) => new Uint8Array(length).fill((random += 1)),
        failing: (error) => this.failures.push(error),
        ...dependencies,
      },
    );
    this.#open.add(storage);
    return storage;
  }

  /** A copy of the folder as it is now: what a kill -9 leaves. */
  async copy(): Promise<StoreFolder> {
    const other = await StoreFolder.make();
    await cp(this.root, other.root, { recursive: true, filter: (source) => !source.endsWith('LOCK') });
    return other;
  }

  async closeAll(): Promise<void> {
    for (const storage of this.#open) await storage.close();
    this.#open.clear();
  }

  async dispose(): Promise<void> {
    await this.closeAll();
    await rm(this.root, { recursive: true, force: true });
  }
}

/** A request that writes entries of the namespace `app`. */
export function writing(
  entries: readonly (readonly [string, string])[],
  more: Partial<WriteRequest> = {},
): WriteRequest {
  const writes = entries.map(([key, value]): Write => ({ namespace: 'app', key: utf8(key), value: utf8(value) }));
  return { writes, when: [], sync: false, writer: '', sequence: 0, ...more };
}
