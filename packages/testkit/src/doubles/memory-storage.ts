import {
  compareBytes,
  failure,
  sameBytes,
  toHex,
  type Condition,
  type Infer,
  type Namespace,
  type RangeAnswer,
  type RangeRequest,
  type ReadAnswer,
  type ReadRequest,
  type Storage,
  type VerifyStoreAnswer,
  type WriteAnswer,
  type WriteRequest,
} from '@it-chain/contracts';

interface Stored {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** The storage role in memory. Copies what comes in, so nobody can change it from outside. */
export class MemoryStorage implements Storage {
  readonly #spaces = new Map<Namespace, Map<string, Stored>>();
  readonly #sequences = new Map<string, number>();
  /** Batches written so far. */
  writes = 0;
  /** Called before each write; a test throws in it to make the write fail. */
  beforeWrite: ((request: WriteRequest) => void) | undefined;

  /** Holds what another one holds now, and nothing else. */
  copyFrom(other: MemoryStorage): void {
    this.#spaces.clear();
    for (const [namespace, space] of other.#spaces) this.#spaces.set(namespace, new Map(space));
    this.#sequences.clear();
    for (const [writer, sequence] of other.#sequences) this.#sequences.set(writer, sequence);
  }

  /** The call `storage.read`. */
  read(request: Infer<typeof ReadRequest>): Promise<Infer<typeof ReadAnswer>> {
    const space = this.#space(request.namespace);
    return Promise.resolve({ values: request.keys.map((key) => ({ value: space.get(toHex(key))?.value })) });
  }

  /** The call `storage.range`. */
  range(request: Infer<typeof RangeRequest>): Promise<Infer<typeof RangeAnswer>> {
    const { from, to, reverse } = request;
    const limit = request.limit === 0 ? 1_000 : request.limit;
    const maxBytes = request.maxBytes === 0 ? 1024 * 1024 : request.maxBytes;
    const inside = [...this.#space(request.namespace).values()]
      .filter(({ key }) => compareBytes(key, from) >= 0 && (to === undefined || compareBytes(key, to) < 0))
      .sort((a, b) => (reverse ? compareBytes(b.key, a.key) : compareBytes(a.key, b.key)));
    const entries: Stored[] = [];
    let size = 0;
    for (const entry of inside) {
      size += entry.key.length + entry.value.length;
      if (entries.length >= limit || (entries.length > 0 && size > maxBytes))
        return Promise.resolve({ entries, more: true });
      entries.push(entry);
    }
    return Promise.resolve({ entries, more: false });
  }

  /** The call `storage.write`. */
  write(request: WriteRequest): Promise<Infer<typeof WriteAnswer>> {
    return new Promise((resolve) => {
      resolve({ repeated: this.apply(request) });
    });
  }

  /** The call `storage.verify`. */
  verify(): Promise<Infer<typeof VerifyStoreAnswer>> {
    let entries = 0;
    let bytes = 0;
    for (const space of this.#spaces.values()) {
      for (const { key, value } of space.values()) {
        entries += 1;
        bytes += key.length + value.length;
      }
    }
    return Promise.resolve({ entries, bytes, problems: [] });
  }

  /** The value of a key at once, for a test or a simulated disk. */
  peek(namespace: Namespace, key: Uint8Array): Uint8Array | undefined {
    return this.#space(namespace).get(toHex(key))?.value;
  }

  /** Writes at once. @returns whether the batch was a repetition @throws ERR_STORAGE_CONDITION, ERR_STORAGE_SEQUENCE */
  apply(request: WriteRequest): boolean {
    this.beforeWrite?.(request);
    if (request.writer !== '') {
      const last = this.#sequences.get(request.writer);
      if (last !== undefined && request.sequence === last) return true;
      if (last !== undefined && request.sequence < last) {
        throw failure('ERR_STORAGE_SEQUENCE', `writer "${request.writer}" sent ${request.sequence} after ${last}`);
      }
    }
    for (const condition of request.when) this.#require(condition);
    for (const { namespace, key, value } of request.writes) {
      const space = this.#space(namespace);
      if (value === undefined) space.delete(toHex(key));
      else space.set(toHex(key), { key: Uint8Array.from(key), value: Uint8Array.from(value) });
    }
    if (request.writer !== '') this.#sequences.set(request.writer, request.sequence);
    this.writes += 1;
    return false;
  }

  #require({ namespace, key, value }: Condition): void {
    const found = this.#space(namespace).get(toHex(key))?.value;
    const holds = value === undefined ? found === undefined : found !== undefined && sameBytes(found, value);
    if (!holds) throw failure('ERR_STORAGE_CONDITION', `the key ${toHex(key)} of "${namespace}" is not as expected`);
  }

  #space(namespace: Namespace): Map<string, Stored> {
    let space = this.#spaces.get(namespace);
    if (space === undefined) {
      space = new Map();
      this.#spaces.set(namespace, space);
    }
    return space;
  }
}
