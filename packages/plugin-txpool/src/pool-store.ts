import {
  PoolEntry,
  bytes,
  chainKeys,
  concatBytes,
  heightKey,
  message,
  nested,
  string,
  uint64,
  utf8,
  type Entry,
  type Infer,
  type Storage,
  type Write,
  noFailpoint,
  type Failpoint,
} from '@it-chain/contracts';

/** Value of `t/<arrival>`. */
const StoredTransaction = message('StoredTransaction', {
  transaction: bytes(1),
  /** When it came, in ms since the epoch. */
  at: uint64(2),
  from: string(3, { maxLength: 64 }),
});
export type StoredTransaction = Infer<typeof StoredTransaction>;

/** Value of `r/<sequence>`: one that had been accepted and was rejected later. */
const StoredRejection = message('StoredRejection', { entry: nested(1, PoolEntry) });

const transactionKey = (arrival: number): Uint8Array => concatBytes(utf8('t/'), heightKey(arrival));
const rejectionKey = (sequence: number): Uint8Array => concatBytes(utf8('r/'), heightKey(sequence));
const numberOf = (key: Uint8Array): number => Number(Buffer.from(key).readBigUInt64BE(2));

/** Ids in one question to the store. */
const READ_KEYS = 5_000;

interface Waiting {
  readonly writes: readonly Write[];
  readonly size: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What a restart finds. */
export interface StoredPool {
  readonly transactions: readonly (StoredTransaction & { readonly arrival: number })[];
  readonly rejections: readonly { readonly sequence: number; readonly entry: PoolEntry }[];
}

/**
 * The pool's keyspace of the store. While one synced write is under way, everything that comes collects for the next:
 * many submits share one write to disk. Removals are not urgent; they go along, or alone when nothing comes.
 */
export class PoolStore {
  readonly #writeBytes: number;
  readonly #sweepCount: number;
  readonly #storage: Storage;
  readonly #failpoint: Failpoint;
  #queue: Waiting[] = [];
  #removals: Write[] = [];
  #writing = false;

  constructor(
    options: { readonly writeBytes: number; readonly sweepCount: number },
    dependencies: { readonly storage: Storage; readonly failpoint?: Failpoint },
  ) {
    this.#writeBytes = options.writeBytes;
    this.#sweepCount = options.sweepCount;
    this.#storage = dependencies.storage;
    this.#failpoint = dependencies.failpoint ?? noFailpoint;
  }

  /** Resolves when all of these are on disk. */
  append(transactions: readonly (StoredTransaction & { readonly arrival: number })[]): Promise<void> {
    let size = 0;
    const writes = transactions.map((one): Write => {
      const value = StoredTransaction.encode(one);
      size += value.length;
      return { namespace: 'pool', key: transactionKey(one.arrival), value };
    });
    return new Promise((resolve, reject) => {
      this.#queue.push({ writes, size, resolve, reject });
      if (!this.#writing) void this.#writeAll();
    });
  }

  /** Notes that one has left; its record is removed later. */
  forget(arrival: number): void {
    this.#removals.push({ namespace: 'pool', key: transactionKey(arrival) });
  }

  /** Notes a rejection, to be written together with the removal of the record. */
  noteRejection(sequence: number, entry: PoolEntry): void {
    this.#removals.push({ namespace: 'pool', key: rejectionKey(sequence), value: StoredRejection.encode({ entry }) });
  }

  /** Forgets an old rejection. */
  dropRejection(sequence: number): void {
    this.#removals.push({ namespace: 'pool', key: rejectionKey(sequence) });
  }

  /** Removals that wait. */
  get unswept(): number {
    return this.#removals.length;
  }

  /** Writes one batch of removals, not synced: what is lost is found again at the next start. */
  async sweep(): Promise<void> {
    if (this.#removals.length === 0 || this.#writing) return;
    const writes = this.#removals.splice(0, this.#sweepCount);
    try {
      await this.#storage.write({ writes, when: [], sync: false, writer: '', sequence: 0 });
    } catch (error) {
      this.#removals.unshift(...writes);
      throw error;
    }
  }

  /** Everything that is stored, in the order of arrival. */
  async load(): Promise<StoredPool> {
    const transactions = (await this.#all('t')).map(({ key, value }) => ({
      ...StoredTransaction.decode(value),
      arrival: numberOf(key),
    }));
    const rejections = (await this.#all('r')).map(({ key, value }) => ({
      ...StoredRejection.decode(value),
      sequence: numberOf(key),
    }));
    return { transactions, rejections };
  }

  /** Which of these ids the chain has committed, by position. */
  async committed(ids: readonly Uint8Array[]): Promise<boolean[]> {
    const found: boolean[] = [];
    for (let at = 0; at < ids.length; at += READ_KEYS) {
      const keys = ids.slice(at, at + READ_KEYS).map(chainKeys.transaction);
      const { values } = await this.#storage.read({ namespace: 'chain', keys });
      for (const { value } of values) found.push(value !== undefined);
    }
    return found;
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    while (this.#queue.length > 0) {
      const batch = this.#nextBatch();
      const writes = batch.flatMap((waiting) => waiting.writes);
      const removals = this.#removals.splice(0, this.#sweepCount);
      try {
        this.#failpoint('pool.before-store');
        await this.#storage.write({ writes: [...removals, ...writes], when: [], sync: true, writer: '', sequence: 0 });
        this.#failpoint('pool.after-store');
        for (const { resolve } of batch) resolve();
      } catch (error) {
        this.#removals.unshift(...removals);
        for (const { reject } of batch) reject(error);
      }
    }
    this.#writing = false;
  }

  /** At least one of those that wait, and as many as fit. */
  #nextBatch(): Waiting[] {
    let size = 0;
    let count = 0;
    for (const waiting of this.#queue) {
      if (count > 0 && size + waiting.size > this.#writeBytes) break;
      size += waiting.size;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #all(letter: string): Promise<Entry[]> {
    const entries: Entry[] = [];
    for (let from = utf8(`${letter}/`); ;) {
      const page = await this.#storage.range({
        namespace: 'pool',
        from,
        // The character behind the slash.
        to: utf8(`${letter}0`),
        limit: 0,
        maxBytes: 0,
        reverse: false,
      });
      entries.push(...page.entries);
      const last = page.entries.at(-1);
      if (!page.more || last === undefined) return entries;
      from = concatBytes(last.key, new Uint8Array([0]));
    }
  }
}
