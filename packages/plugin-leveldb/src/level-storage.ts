import type {
  Clock,
  CompactRequest,
  Failpoint,
  Infer,
  Log,
  RangeAnswer,
  RangeRequest,
  ReadAnswer,
  ReadRequest,
  Storage,
  VerifyStoreAnswer,
  WriteAnswer,
  WriteRequest,
} from '@it-chain/contracts';
import { hasCode, messageOf } from '@it-chain/contracts';
import { describeKey, namespaceEnd, openValue, storedKey } from './entry-codec.js';
import { checkTableFile, liveTables } from './files/check-directory.js';
import { diskSpace, requireSpace, type DiskSpace, type FreeSpaceLimits } from './free-space.js';
import { levelError, openStore, type OpenStore, type OpenStoreOptions } from './open-store.js';
import { WriteQueue, type WriteQueueOptions } from './write-queue.js';

/** What a store is opened with. */
export interface LevelStorageOptions extends OpenStoreOptions, FreeSpaceLimits, WriteQueueOptions {
  /** How often free space is looked at, in ms. */
  readonly checkIntervalMs: number;
}

/** What a store needs around it. */
export interface LevelStorageDependencies {
  readonly clock: Clock;
  readonly log: Log;
  /** Random bytes of a length. */
  readonly random: (length: number) => Uint8Array;
  /** Told once when the store can no longer be trusted: ERR_STORAGE_IO or ERR_STORAGE_DAMAGED. */
  readonly failing: (error: Error) => void;
  /** Asks for the free space of a folder. Default: the file system. */
  readonly space?: (folder: string) => Promise<DiskSpace>;
  readonly failpoint?: Failpoint | undefined;
}

const DEFAULT_LIMIT = 1_000;
const MAX_LIMIT = 65_536;
const DEFAULT_BYTES = 1024 * 1024;
const MAX_BYTES = 4 * 1024 * 1024;
const PAGE = 1_000;
const MAX_PROBLEMS = 1_000;

/** The storage role on one LevelDB directory. Open it with {@link LevelStorage.open}. */
export class LevelStorage implements Storage {
  readonly #options: LevelStorageOptions;
  readonly #dependencies: LevelStorageDependencies;
  readonly #store: OpenStore;
  readonly #queue: WriteQueue;
  readonly #cancelSpaceCheck: () => void;
  #unchecked: string[];
  #told = false;
  #closed = false;

  /**
   * Opens the store of `options.directory`, or makes it where none was.
   * @throws ERR_STORAGE_DAMAGED, ERR_STORAGE_IN_USE, ERR_STORAGE_IO
   */
  static async open(options: LevelStorageOptions, dependencies: LevelStorageDependencies): Promise<LevelStorage> {
    const store = await openStore(options, dependencies);
    const storage = new LevelStorage(options, dependencies, store);
    try {
      requireSpace(options.directory, await storage.#space(), options);
      return storage;
    } catch (error) {
      await storage.close();
      throw error;
    }
  }

  private constructor(options: LevelStorageOptions, dependencies: LevelStorageDependencies, store: OpenStore) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#store = store;
    this.#unchecked = [...store.unchecked];
    this.#queue = new WriteQueue(options, {
      level: store.level,
      counter: store.counter,
      failpoint: dependencies.failpoint,
      synced: (counter) => {
        store.mark.raise(counter);
      },
      failed: (error) => {
        this.#fail(error);
      },
    });
    this.#cancelSpaceCheck = dependencies.clock.every(options.checkIntervalMs, () => {
      void this.#look();
    });
  }

  /** Bytes of writes that wait. */
  get queuedBytes(): number {
    return this.#queue.queuedBytes;
  }

  /** The call `storage.read`. */
  async read(request: Infer<typeof ReadRequest>): Promise<Infer<typeof ReadAnswer>> {
    const keys = request.keys.map((key) => storedKey(request.namespace, key));
    return this.#reading('reading', async () => {
      const stored = await this.#store.level.getMany(keys);
      return {
        values: keys.map((key, index) => {
          const value = stored[index];
          return value === undefined ? {} : { value: openValue(key, value) };
        }),
      };
    });
  }

  /** The call `storage.range`. */
  async range(request: Infer<typeof RangeRequest>): Promise<Infer<typeof RangeAnswer>> {
    const { namespace, from, to, reverse } = request;
    const limit = Math.min(request.limit === 0 ? DEFAULT_LIMIT : request.limit, MAX_LIMIT);
    const maxBytes = Math.min(request.maxBytes === 0 ? DEFAULT_BYTES : request.maxBytes, MAX_BYTES);
    return this.#reading('reading a range', async () => {
      const entries: { key: Uint8Array; value: Uint8Array }[] = [];
      let size = 0;
      const iterator = this.#store.level.iterator({
        gte: storedKey(namespace, from),
        lt: to === undefined ? namespaceEnd(namespace) : storedKey(namespace, to),
        reverse,
        limit: limit + 1,
        highWaterMarkBytes: 256 * 1024,
      });
      try {
        for (;;) {
          const page = await iterator.nextv(Math.min(PAGE, limit + 1));
          if (page.length === 0) return { entries, more: false };
          for (const [stored, sealed] of page) {
            const key = stored.subarray(1);
            const value = openValue(stored, sealed);
            size += key.length + value.length;
            if (entries.length >= limit || (entries.length > 0 && size > maxBytes)) return { entries, more: true };
            entries.push({ key, value });
          }
        }
      } finally {
        await iterator.close();
      }
    });
  }

  /** The call `storage.write`. */
  async write(request: WriteRequest): Promise<Infer<typeof WriteAnswer>> {
    return { repeated: await this.#queue.write(request) };
  }

  /** Gives back the space of deleted entries. Runs in LevelDB's own thread. */
  async compact({ namespace, from, to }: Infer<typeof CompactRequest>): Promise<Record<string, never>> {
    return this.#reading('compacting', async () => {
      await this.#store.level.compactRange(storedKey(namespace, from), storedKey(namespace, to));
      return {};
    });
  }

  /** The call `storage.verify`. */
  async verify(): Promise<Infer<typeof VerifyStoreAnswer>> {
    let entries = 0;
    let bytes = 0;
    const problems: string[] = [];
    const tell = (problem: string): void => {
      if (problems.length < MAX_PROBLEMS) problems.push(problem);
    };
    try {
      const { files } = await liveTables(this.#store.files);
      for (const file of files) {
        const problem = await checkTableFile(this.#store.files, file);
        if (problem !== undefined) tell(problem);
      }
      const iterator = this.#store.level.iterator({ highWaterMarkBytes: 1024 * 1024, fillCache: false });
      try {
        for (;;) {
          const page = await iterator.nextv(PAGE);
          if (page.length === 0) break;
          for (const [key, sealed] of page) {
            entries += 1;
            bytes += key.length + sealed.length;
            try {
              openValue(key, sealed);
            } catch {
              // The walk goes on: one sentence for each damaged value.
              tell(`the value of ${describeKey(key)} does not match its checksum`);
            }
          }
        }
      } finally {
        await iterator.close();
      }
    } catch (error) {
      if (hasCode(levelError(error, ''), 'ERR_STORAGE_CLOSED')) throw levelError(error, 'verifying');
      tell(messageOf(error));
    }
    return { entries, bytes, problems };
  }

  /** Finishes the writes that wait, syncs and closes. Safe to call twice. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelSpaceCheck();
    try {
      await this.#queue.close();
    } catch (error) {
      this.#dependencies.log.error('the store could not be synced before it was closed', { error: messageOf(error) });
    }
    await this.#store.level.close();
    this.#store.mark.close();
    await this.#store.release();
  }

  async #reading<T>(doing: string, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      const answer = levelError(error, doing);
      if (!hasCode(answer, 'ERR_STORAGE_CLOSED')) this.#fail(answer);
      throw answer;
    }
  }

  #space(): Promise<DiskSpace> {
    return (this.#dependencies.space ?? diskSpace)(this.#options.directory);
  }

  /** Looks at free space, and at one table that start left out. */
  async #look(): Promise<void> {
    try {
      requireSpace(this.#options.directory, await this.#space(), this.#options);
      const file = this.#unchecked.shift();
      if (file === undefined) return;
      const problem = await checkTableFile(this.#store.files, file);
      if (problem !== undefined)
        this.#fail(levelError(Object.assign(new Error(problem), { code: 'LEVEL_CORRUPTION' }), 'checking'));
    } catch (error) {
      if (!this.#closed) this.#fail(levelError(error, 'looking at free space'));
    }
  }

  #fail(error: Error): void {
    this.#queue.stop(error);
    if (this.#told) return;
    this.#told = true;
    this.#dependencies.failing(error);
  }
}
