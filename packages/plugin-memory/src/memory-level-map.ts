import { MemoryLevel } from 'memory-level';
import { failure, type KeyChange, type KeyRange, type KeyValue, type OrderedMap } from '@it-chain/contracts';

/** How much a map may hold. */
export interface MemoryMapOptions {
  /** Bytes of keys and values. */
  readonly maxBytes: number;
}

type Level = MemoryLevel<Uint8Array, Uint8Array>;
type Operation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

const PAGE = 1_000;

/** An ordered map on memory-level that is full like a disk: a write that it has no room for is refused whole. */
export class MemoryLevelMap implements OrderedMap {
  readonly #options: MemoryMapOptions;
  readonly #level: Level = new MemoryLevel({ keyEncoding: 'view', valueEncoding: 'view', storeEncoding: 'view' });
  #bytes = 0;

  constructor(options: MemoryMapOptions) {
    this.#options = options;
  }

  /** Bytes of keys and values that are held. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#level.get(key);
  }

  async *entries({ from, to, reverse }: KeyRange): AsyncGenerator<KeyValue> {
    // An iterator of memory-level sees the map as it was when it was made.
    const iterator = this.#level.iterator({ gte: from, lt: to, reverse });
    try {
      for (;;) {
        const page = await iterator.nextv(PAGE);
        if (page.length === 0) return;
        yield* page;
      }
    } finally {
      await iterator.close();
    }
  }

  /** @throws ERR_STORAGE_IO where it would hold more than it may */
  async write(changes: readonly KeyChange[]): Promise<void> {
    const operations = new Map<string, Operation>();
    let bytes = this.#bytes;
    for (const { key, value } of changes) {
      const text = Buffer.from(key).toString('latin1');
      const earlier = operations.get(text);
      const before = earlier === undefined ? await this.#level.get(key) : valueOf(earlier);
      if (before !== undefined) bytes -= key.length + before.length;
      if (value !== undefined) bytes += key.length + value.length;
      operations.set(text, value === undefined ? { type: 'del', key } : { type: 'put', key, value });
    }
    this.#requireRoom(bytes);
    if (operations.size > 0) await this.#level.batch([...operations.values()]);
    this.#bytes = bytes;
  }

  close(): Promise<void> {
    return this.#level.close();
  }

  #requireRoom(bytes: number): void {
    if (bytes <= this.#options.maxBytes || bytes <= this.#bytes) return;
    const message = `the store in memory would hold ${bytes} of ${this.#options.maxBytes} bytes`;
    throw failure('ERR_STORAGE_IO', message, { hint: 'Raise maxBytes, or use a storage on disk.' });
  }
}

const valueOf = (operation: Operation): Uint8Array | undefined =>
  operation.type === 'put' ? operation.value : undefined;
