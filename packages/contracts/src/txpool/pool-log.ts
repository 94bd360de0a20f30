import { concatBytes, utf8 } from '../data/hash.js';
import { chainKeys, heightKey } from '../data/keyspace.js';
import type { Storage } from '../roles/storage.js';
import { bytes, message, string, uint64, type Infer } from '../schema/index.js';

const Waiting = message('Waiting', { transaction: bytes(1), at: uint64(2), from: string(3, { maxLength: 64 }) });
/** A transaction as it is stored. */
export type StoredWaiting = Infer<typeof Waiting> & { readonly arrival: number };

const keyOf = (arrival: number): Uint8Array => concatBytes(utf8('t/'), heightKey(arrival));
/** Ids in one question to the store. */
const READ_KEYS = 5_000;

/** The keyspace `pool`: what waits is on disk before it is answered. */
export class PoolLog {
  readonly #storage: Storage;

  constructor(dependencies: { readonly storage: Storage }) {
    this.#storage = dependencies.storage;
  }

  /** Resolves when these are on disk. */
  async append(records: readonly StoredWaiting[]): Promise<void> {
    const writes = records.map((record) => ({
      namespace: 'pool' as const,
      key: keyOf(record.arrival),
      value: Waiting.encode(record),
    }));
    await this.#storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
  }

  /** Not synced: what comes back after a crash is found committed or expired then. */
  async remove(arrivals: readonly number[]): Promise<void> {
    const writes = arrivals.map((arrival) => ({ namespace: 'pool' as const, key: keyOf(arrival) }));
    if (writes.length > 0) await this.#storage.write({ writes, when: [], sync: false, writer: '', sequence: 0 });
  }

  /** All that is stored, in the order of arrival. */
  async load(): Promise<StoredWaiting[]> {
    const found: StoredWaiting[] = [];
    for (let from: Uint8Array = utf8('t/'); ;) {
      const to = utf8('t0'); // The character behind the slash.
      const page = await this.#storage.range({ namespace: 'pool', from, to, limit: 0, maxBytes: 0, reverse: false });
      for (const { key, value } of page.entries) {
        found.push({ ...Waiting.decode(value), arrival: Number(Buffer.from(key).readBigUInt64BE(2)) });
      }
      const last = page.entries.at(-1);
      if (!page.more || last === undefined) return found;
      from = concatBytes(last.key, new Uint8Array(1));
    }
  }

  /** Which of these ids the chain has committed, by position. */
  async committed(ids: readonly Uint8Array[]): Promise<boolean[]> {
    const found: boolean[] = [];
    for (let at = 0; at < ids.length; at += READ_KEYS) {
      const keys = ids.slice(at, at + READ_KEYS).map(chainKeys.transaction);
      const { values } = await this.#storage.read({ namespace: 'chain', keys });
      found.push(...values.map(({ value }) => value !== undefined));
    }
    return found;
  }
}
