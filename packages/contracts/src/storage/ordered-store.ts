import { NAMESPACES, type Namespace } from '../data/keyspace.js';
import { concatBytes, toHex, utf8 } from '../data/hash.js';
import { failure } from '../errors/fail.js';
import { hasCode, messageOf } from '../errors/it-chain-error.js';
import type { AnswerOf, RequestOf } from '../plugin/role.js';
import type { Condition, Storage, WriteRequest } from '../roles/storage.js';
import { sameBytes } from '../schema/index.js';
import type { KeyChange, OrderedMap } from './ordered-map.js';

const DEFAULT_LIMIT = 1_000;
const MAX_LIMIT = 65_536;
const DEFAULT_BYTES = 1024 * 1024;
const MAX_BYTES = 4 * 1024 * 1024;

/** How much may wait. */
export interface OrderedStoreOptions {
  /** Bytes of writes that wait before more are refused. */
  readonly maxQueuedBytes: number;
}

/** What a store needs around it. */
export interface OrderedStoreDependencies {
  /** Told once, when the map failed or is damaged: the store answers nothing any more. */
  readonly failing?: ((error: Error) => void) | undefined;
}

/**
 * The role storage on an {@link OrderedMap}: namespaces, conditions and sequences as one step with the write, pages with
 * limits, one write after the other. The sequence of a writer is an entry of the map, in the same batch as its write.
 */
export class OrderedStore implements Storage {
  readonly #map: OrderedMap;
  readonly #options: OrderedStoreOptions;
  readonly #failing: (error: Error) => void;
  #last: Promise<unknown> = Promise.resolve();
  #queuedBytes = 0;
  #stopped: Error | undefined;

  constructor(map: OrderedMap, options: OrderedStoreOptions, dependencies: OrderedStoreDependencies = {}) {
    this.#map = map;
    this.#options = options;
    this.#failing = dependencies.failing ?? (() => undefined);
  }

  /** Bytes of writes that wait. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** The call `storage.read`. */
  read({ namespace, keys }: RequestOf<Storage, 'read'>): Promise<AnswerOf<Storage, 'read'>> {
    return this.#reading(async () => {
      const found = await Promise.all(keys.map(async (key) => this.#map.get(storedKey(namespace, key))));
      return { values: found.map((value) => (value === undefined ? {} : { value: Uint8Array.from(value) })) };
    });
  }

  /** The call `storage.range`. */
  range(request: RequestOf<Storage, 'range'>): Promise<AnswerOf<Storage, 'range'>> {
    const { namespace, reverse } = request;
    const limit = Math.min(request.limit === 0 ? DEFAULT_LIMIT : request.limit, MAX_LIMIT);
    const maxBytes = Math.min(request.maxBytes === 0 ? DEFAULT_BYTES : request.maxBytes, MAX_BYTES);
    const from = storedKey(namespace, request.from);
    const to = request.to === undefined ? namespaceEnd(namespace) : storedKey(namespace, request.to);
    return this.#reading(async () => {
      const entries: { key: Uint8Array; value: Uint8Array }[] = [];
      let size = 0;
      for await (const [stored, value] of this.#map.entries({ from, to, reverse })) {
        size += stored.length - 1 + value.length;
        if (entries.length >= limit || (entries.length > 0 && size > maxBytes)) return { entries, more: true };
        entries.push({ key: Uint8Array.from(stored.subarray(1)), value: Uint8Array.from(value) });
      }
      return { entries, more: false };
    });
  }

  /** @throws ERR_STORAGE_CONDITION, ERR_STORAGE_SEQUENCE, ERR_STORAGE_BUSY, ERR_STORAGE_IO, ERR_STORAGE_CLOSED */
  write(request: WriteRequest): Promise<AnswerOf<Storage, 'write'>> {
    const size = sizeOf(request);
    if (this.#queuedBytes > 0 && this.#queuedBytes + size > this.#options.maxQueuedBytes) {
      const error = failure('ERR_STORAGE_BUSY', `${this.#queuedBytes} bytes wait to be written`, { retryable: true });
      return Promise.reject(error);
    }
    this.#queuedBytes += size;
    // One after the other, so that conditions and write are one step.
    const written = this.#last.then(() => this.#write(request)).finally(() => (this.#queuedBytes -= size));
    // The caller gets its error; the next write does not depend on it.
    this.#last = written.catch(() => undefined);
    return written.then((repeated) => ({ repeated }));
  }

  /** The call `storage.verify`. */
  verify(): Promise<AnswerOf<Storage, 'verify'>> {
    return this.#reading(async () => {
      const problems = [...((await this.#map.check?.()) ?? [])];
      let [entries, bytes] = [0, 0];
      const all = { from: namespaceStart(NAMESPACES[0]), to: new Uint8Array([NAMESPACES.length + 1]), reverse: false };
      for await (const [key, value] of this.#map.entries(all)) {
        entries += 1;
        bytes += key.length + value.length;
      }
      return { entries, bytes, problems: problems.slice(0, 1_000) };
    });
  }

  /** Finishes the writes that wait, then answers nothing any more. */
  async close(): Promise<void> {
    await this.#last;
    this.#stopped ??= failure('ERR_STORAGE_CLOSED', 'the store is closed', { retryable: true });
    await this.#map.close?.();
  }

  async #reading<T>(read: () => Promise<T>): Promise<T> {
    this.#requireOpen();
    try {
      return await read();
    } catch (error) {
      if (hasCode(error, 'ERR_STORAGE_DAMAGED')) this.#fail(error);
      throw error;
    }
  }

  async #write(request: WriteRequest): Promise<boolean> {
    this.#requireOpen();
    const { writer, sequence } = request;
    const changes: KeyChange[] = request.writes.map(({ namespace, key, value }) => ({
      key: storedKey(namespace, key),
      // A copy: what came over the bus is a piece of a larger message that would be kept alive whole.
      value: value === undefined ? undefined : Uint8Array.from(value),
    }));
    if (writer !== '') {
      if (await this.#isRepeated(writer, sequence)) return true;
      changes.push({ key: sequenceKey(writer), value: utf8(String(sequence)) });
    }
    for (const condition of request.when) await this.#require(condition);
    try {
      await this.#map.write(changes, request.sync);
    } catch (cause) {
      const known = hasCode(cause, 'ERR_STORAGE_IO') || hasCode(cause, 'ERR_STORAGE_DAMAGED');
      const error = known ? cause : failure('ERR_STORAGE_IO', `it cannot be written: ${messageOf(cause)}`, { cause });
      this.#fail(error);
      throw error;
    }
    return false;
  }

  async #isRepeated(writer: string, sequence: number): Promise<boolean> {
    const stored = await this.#map.get(sequenceKey(writer));
    const last = stored === undefined ? undefined : Number(Buffer.from(stored).toString());
    if (last === undefined || sequence > last) return false;
    if (sequence === last) return true;
    throw failure('ERR_STORAGE_SEQUENCE', `writer "${writer}" sent ${sequence} after ${last}`);
  }

  async #require({ namespace, key, value }: Condition): Promise<void> {
    const found = await this.#map.get(storedKey(namespace, key));
    const holds = value === undefined || found === undefined ? value === found : sameBytes(value, found);
    if (!holds) throw failure('ERR_STORAGE_CONDITION', `the key ${toHex(key)} of "${namespace}" is not as expected`);
  }

  #fail(error: Error): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = error;
    this.#failing(error);
  }

  #requireOpen(): void {
    if (this.#stopped !== undefined) throw this.#stopped;
  }
}

/** A byte for the namespace in front of the key; 0 is for the sequences of writers. */
const namespaceStart = (namespace: Namespace): Uint8Array => new Uint8Array([NAMESPACES.indexOf(namespace) + 1]);
const namespaceEnd = (namespace: Namespace): Uint8Array => new Uint8Array([NAMESPACES.indexOf(namespace) + 2]);
const storedKey = (namespace: Namespace, key: Uint8Array): Uint8Array => concatBytes(namespaceStart(namespace), key);
const sequenceKey = (writer: string): Uint8Array => concatBytes(new Uint8Array(1), utf8(writer));

function sizeOf({ writes, when }: WriteRequest): number {
  let bytes = 64;
  for (const list of [writes, when]) {
    for (const { key, value } of list) bytes += key.length + (value?.length ?? 0) + 16;
  }
  return bytes;
}
