import { MemoryLevel } from 'memory-level';
import {
  failure,
  sameBytes,
  toHex,
  type Condition,
  type Infer,
  type RangeAnswer,
  type RangeRequest,
  type ReadAnswer,
  type ReadRequest,
  type Storage,
  type VerifyStoreAnswer,
  type WriteAnswer,
  type WriteRequest,
} from '@it-chain/contracts';
import { namespaceEnd, storedKey } from './stored-key.js';

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

type Level = MemoryLevel<Uint8Array, Uint8Array>;
type Operation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

const DEFAULT_LIMIT = 1_000;
const MAX_LIMIT = 65_536;
const DEFAULT_BYTES = 1024 * 1024;
const MAX_BYTES = 4 * 1024 * 1024;
const PAGE = 1_000;

/**
 * The storage role on memory-level. The same answers, limits and errors as a store on disk, so that a node that runs on it
 * behaves like one that does not, up to its end: nothing survives the process.
 */
export class MemoryLevelStorage implements Storage {
  readonly #options: MemoryStorageOptions;
  readonly #dependencies: MemoryStorageDependencies;
  readonly #level: Level = new MemoryLevel({ keyEncoding: 'view', valueEncoding: 'view', storeEncoding: 'view' });
  readonly #sequences = new Map<string, number>();
  #last: Promise<unknown> = Promise.resolve();
  #bytes = 0;
  #queuedBytes = 0;
  #stopped: Error | undefined;

  constructor(options: MemoryStorageOptions, dependencies: MemoryStorageDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  /** Bytes of keys and values that are held. */
  get bytes(): number {
    return this.#bytes;
  }

  async read(request: Infer<typeof ReadRequest>): Promise<Infer<typeof ReadAnswer>> {
    this.#requireOpen();
    const found = await this.#level.getMany(request.keys.map((key) => storedKey(request.namespace, key)));
    // Copies, in both directions: who asked may write into what it got.
    return { values: found.map((value) => (value === undefined ? {} : { value: Uint8Array.from(value) })) };
  }

  async range(request: Infer<typeof RangeRequest>): Promise<Infer<typeof RangeAnswer>> {
    this.#requireOpen();
    const { namespace, from, to, reverse } = request;
    const limit = Math.min(request.limit === 0 ? DEFAULT_LIMIT : request.limit, MAX_LIMIT);
    const maxBytes = Math.min(request.maxBytes === 0 ? DEFAULT_BYTES : request.maxBytes, MAX_BYTES);
    const entries: { key: Uint8Array; value: Uint8Array }[] = [];
    let size = 0;
    const iterator = this.#level.iterator({
      gte: storedKey(namespace, from),
      lt: to === undefined ? namespaceEnd(namespace) : storedKey(namespace, to),
      reverse,
      limit: limit + 1,
    });
    try {
      for (;;) {
        const page = await iterator.nextv(Math.min(PAGE, limit + 1));
        if (page.length === 0) return { entries, more: false };
        for (const [stored, value] of page) {
          size += stored.length - 1 + value.length;
          if (entries.length >= limit || (entries.length > 0 && size > maxBytes)) return { entries, more: true };
          entries.push({ key: stored.slice(1), value: Uint8Array.from(value) });
        }
      }
    } finally {
      await iterator.close();
    }
  }

  /** @throws ERR_STORAGE_CONDITION, ERR_STORAGE_SEQUENCE, ERR_STORAGE_BUSY, ERR_STORAGE_IO, ERR_STORAGE_CLOSED */
  write(request: WriteRequest): Promise<Infer<typeof WriteAnswer>> {
    const size = sizeOf(request);
    if (this.#queuedBytes > 0 && this.#queuedBytes + size > this.#options.maxQueuedBytes) {
      const error = failure('ERR_STORAGE_BUSY', `${this.#queuedBytes} bytes wait to be written`, { retryable: true });
      return Promise.reject(error);
    }
    this.#queuedBytes += size;
    // One after the other, so that conditions and writes are one step.
    const written = this.#last.then(() => this.#write(request)).finally(() => (this.#queuedBytes -= size));
    // The caller gets its error; the next write does not depend on it.
    this.#last = written.catch(() => undefined);
    return written.then((repeated) => ({ repeated }));
  }

  async verify(): Promise<Infer<typeof VerifyStoreAnswer>> {
    this.#requireOpen();
    let entries = 0;
    let bytes = 0;
    for await (const [key, value] of this.#level.iterator()) {
      entries += 1;
      bytes += key.length + value.length;
    }
    return { entries, bytes, problems: [] };
  }

  /** Finishes the writes that wait, then answers nothing any more. */
  async close(): Promise<void> {
    await this.#last;
    this.#stopped ??= failure('ERR_STORAGE_CLOSED', 'the store is closed', { retryable: true });
    await this.#level.close();
  }

  async #write(request: WriteRequest): Promise<boolean> {
    this.#requireOpen();
    if (this.#isRepeated(request)) return true;
    for (const condition of request.when) await this.#require(condition);
    const operations = new Map<string, Operation>();
    let bytes = this.#bytes;
    for (const { namespace, key, value } of request.writes) {
      const stored = storedKey(namespace, key);
      const text = Buffer.from(stored).toString('latin1');
      const earlier = operations.get(text);
      const before = earlier === undefined ? await this.#level.get(stored) : valueOf(earlier);
      if (before !== undefined) bytes -= stored.length + before.length;
      if (value !== undefined) bytes += stored.length + value.length;
      // A copy: what came over the bus is a piece of a larger message that would be kept alive whole.
      operations.set(
        text,
        value === undefined
          ? { type: 'del', key: stored }
          : { type: 'put', key: stored, value: Uint8Array.from(value) },
      );
    }
    this.#requireRoom(bytes);
    if (operations.size > 0) await this.#level.batch([...operations.values()]);
    this.#bytes = bytes;
    if (request.writer !== '') this.#sequences.set(request.writer, request.sequence);
    return false;
  }

  #isRepeated({ writer, sequence }: WriteRequest): boolean {
    const last = writer === '' ? undefined : this.#sequences.get(writer);
    if (last === undefined || sequence > last) return false;
    if (sequence === last) return true;
    throw failure('ERR_STORAGE_SEQUENCE', `writer "${writer}" sent ${sequence} after ${last}`);
  }

  async #require({ namespace, key, value }: Condition): Promise<void> {
    const found = await this.#level.get(storedKey(namespace, key));
    const holds = value === undefined || found === undefined ? value === found : sameBytes(value, found);
    if (!holds) throw failure('ERR_STORAGE_CONDITION', `the key ${toHex(key)} of "${namespace}" is not as expected`);
  }

  #requireRoom(bytes: number): void {
    if (bytes <= this.#options.maxBytes || bytes <= this.#bytes) return;
    const error = failure(
      'ERR_STORAGE_IO',
      `the store in memory would hold ${bytes} of ${this.#options.maxBytes} bytes`,
      {
        hint: 'Raise maxBytes, or use a storage on disk.',
      },
    );
    this.#stopped = error;
    this.#dependencies.failing(error);
    throw error;
  }

  #requireOpen(): void {
    if (this.#stopped !== undefined) throw this.#stopped;
  }
}

const valueOf = (operation: Operation): Uint8Array | undefined =>
  operation.type === 'put' ? operation.value : undefined;

function sizeOf({ writes, when }: WriteRequest): number {
  let bytes = 64;
  for (const list of [writes, when]) {
    for (const { key, value } of list) bytes += key.length + (value?.length ?? 0) + 16;
  }
  return bytes;
}
