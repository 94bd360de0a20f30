import { OrderedStore, type AnswerOf, type RequestOf, type Storage } from '@it-chain/contracts';
import { MemoryLevelMap } from './memory-level-map.js';

/** How much a store may hold. */
export interface MemoryStorageOptions {
  /** Bytes of keys and values. */
  readonly maxBytes: number;
  /** Bytes of writes that wait. */
  readonly maxQueuedBytes: number;
}

/** What a store needs around it. */
export interface MemoryStorageDependencies {
  /** Told once, when the store is full and can no longer keep what it must: ERR_STORAGE_IO. */
  readonly failing: (error: Error) => void;
}

/**
 * The storage role on memory-level. The same answers, limits and errors as a store on disk, so that a node that runs on it
 * behaves like one that does not, up to its end: nothing survives the process.
 */
export class MemoryLevelStorage implements Storage {
  readonly #map: MemoryLevelMap;
  readonly #store: OrderedStore;

  constructor(options: MemoryStorageOptions, dependencies: MemoryStorageDependencies) {
    this.#map = new MemoryLevelMap(options);
    this.#store = new OrderedStore(this.#map, options, dependencies);
  }

  /** Bytes of keys and values that are held. */
  get bytes(): number {
    return this.#map.bytes;
  }

  /** The call `storage.read`. */
  read(request: RequestOf<Storage, 'read'>): Promise<AnswerOf<Storage, 'read'>> {
    return this.#store.read(request);
  }

  /** The call `storage.range`. */
  range(request: RequestOf<Storage, 'range'>): Promise<AnswerOf<Storage, 'range'>> {
    return this.#store.range(request);
  }

  /** @throws ERR_STORAGE_CONDITION, ERR_STORAGE_SEQUENCE, ERR_STORAGE_BUSY, ERR_STORAGE_IO, ERR_STORAGE_CLOSED */
  write(request: RequestOf<Storage, 'write'>): Promise<AnswerOf<Storage, 'write'>> {
    return this.#store.write(request);
  }

  /** The call `storage.verify`. */
  verify(): Promise<AnswerOf<Storage, 'verify'>> {
    return this.#store.verify();
  }

  /** Finishes the writes that wait, then answers nothing any more. */
  close(): Promise<void> {
    return this.#store.close();
  }
}
