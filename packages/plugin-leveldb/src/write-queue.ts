import { failure, sameBytes, type Condition, type WriteRequest, type Failpoint } from '@it-chain/contracts';
import { metaKey, openValue, sealValue, storedKey } from './entry-codec.js';
import { COUNTER_KEY, levelError, sealCounter, type Level } from './open-store.js';

/** How much waits and how much is written in one batch. */
export interface WriteQueueOptions {
  /** Most bytes of requests that may wait; more are refused. */
  readonly maxQueuedBytes: number;
  /** Most bytes of requests that are written in one LevelDB batch. */
  readonly maxGroupBytes: number;
}

/** What a queue needs around it. */
export interface WriteQueueDependencies {
  readonly level: Level;
  /** Number of the last batch so far. */
  readonly counter: number;
  /** Told after each synced batch with its number. */
  readonly synced: (counter: number) => void;
  /** Told once, when the disk fails or a value is damaged. */
  readonly failed: (error: Error) => void;
  /** Passed while a conditional batch is being written. */
  readonly failpoint?: Failpoint | undefined;
}

interface Waiting {
  readonly request: WriteRequest;
  readonly bytes: number;
  readonly resolve: (repeated: boolean) => void;
  readonly reject: (error: Error) => void;
}

/** What the store holds under keys, with the writes of the group laid over it. Key: latin-1 of the stored key. */
type Overlay = Map<string, Uint8Array | undefined>;

const text = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
const writerKey = (writer: string): Buffer => metaKey(`writer/${writer}`);

/**
 * Writes requests one after the other, so that conditions and writes are one step. What waits at the same time goes into
 * one LevelDB batch with one fsync; each request still holds or fails on its own.
 */
export class WriteQueue {
  readonly #options: WriteQueueOptions;
  readonly #dependencies: WriteQueueDependencies;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  #counter: number;
  #stopped: Error | undefined;
  #unsynced = false;

  constructor(options: WriteQueueOptions, dependencies: WriteQueueDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#counter = dependencies.counter;
  }

  /** Bytes of requests that wait. */
  get queuedBytes(): number {
    return this.#waitingBytes;
  }

  /** Writes a request; true where its sequence had been written before. */
  write(request: WriteRequest): Promise<boolean> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped);
    const bytes = sizeOf(request);
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > this.#options.maxQueuedBytes) {
      return Promise.reject(
        failure('ERR_STORAGE_BUSY', `${this.#waitingBytes} bytes wait to be written`, { retryable: true }),
      );
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, bytes, resolve, reject });
      this.#waitingBytes += bytes;
      this.#running ??= this.#run();
    });
  }

  /** Refuses all later writes with `error`. */
  stop(error: Error): void {
    this.#stopped ??= error;
  }

  /** Writes what waits, then syncs what was not, and accepts no more. */
  async close(): Promise<void> {
    this.stop(failure('ERR_STORAGE_CLOSED', 'the store is closed', { retryable: true }));
    await this.#running;
    if (this.#unsynced) await this.#commit([], true, false);
  }

  async #run(): Promise<void> {
    // Whatever is asked for in the same turn of the event loop belongs to the same group.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      try {
        await this.#writeGroup(group);
      } catch (error) {
        const answer = levelError(error, 'writing');
        this.stop(answer);
        for (const { reject } of [...group, ...this.#waiting]) reject(answer);
        this.#waiting = [];
        this.#waitingBytes = 0;
        this.#dependencies.failed(answer);
      }
    }
    this.#running = undefined;
  }

  #takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      if (count > 0 && bytes + waiting.bytes > this.#options.maxGroupBytes) break;
      bytes += waiting.bytes;
      count += 1;
    }
    this.#waitingBytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    const overlay = await this.#load(group);
    const operations: [Buffer, Uint8Array | undefined][] = [];
    const outcomes: (() => void)[] = [];
    for (const { request, resolve, reject } of group) {
      try {
        const repeated = judge(request, overlay);
        if (!repeated) apply(request, overlay, operations);
        outcomes.push(() => {
          resolve(repeated);
        });
      } catch (error) {
        // judge throws coded errors only: a condition or a sequence that does not hold.
        outcomes.push(() => {
          reject(error as Error);
        });
      }
    }
    const sync = group.some(({ request }) => request.sync);
    const isConditional = group.some(({ request }) => request.when.length > 0);
    // A repeated sequence that asks for sync must not be answered before the first one is on disk.
    if (operations.length > 0 || (sync && this.#unsynced)) await this.#commit(operations, sync, isConditional);
    for (const outcome of outcomes) outcome();
  }

  /** The present values of all keys that the group's conditions and sequences are about. */
  async #load(group: readonly Waiting[]): Promise<Overlay> {
    const keys = new Map<string, Buffer>();
    for (const { request } of group) {
      for (const { namespace, key } of request.when) {
        const stored = storedKey(namespace, key);
        keys.set(text(stored), stored);
      }
      if (request.writer !== '') keys.set(text(writerKey(request.writer)), writerKey(request.writer));
    }
    const overlay: Overlay = new Map();
    if (keys.size === 0) return overlay;
    const wanted = [...keys.values()];
    const values = await this.#dependencies.level.getMany(wanted);
    wanted.forEach((key, index) => {
      const stored = values[index];
      overlay.set(text(key), stored === undefined ? undefined : openValue(key, stored));
    });
    return overlay;
  }

  async #commit(
    operations: readonly [Buffer, Uint8Array | undefined][],
    sync: boolean,
    isConditional: boolean,
  ): Promise<void> {
    const batch = this.#dependencies.level.batch();
    for (const [key, value] of operations) {
      if (value === undefined) batch.del(key);
      else batch.put(key, sealValue(key, value));
    }
    const counter = this.#counter + 1;
    batch.put(COUNTER_KEY, sealCounter(counter));
    const written = batch.write({ sync });
    if (isConditional) this.#dependencies.failpoint?.('store.in-batch');
    await written;
    this.#counter = counter;
    this.#unsynced = !sync;
    if (sync) this.#dependencies.synced(counter);
  }
}

/** True where the request was written before. @throws ERR_STORAGE_CONDITION, ERR_STORAGE_SEQUENCE */
function judge(request: WriteRequest, overlay: Overlay): boolean {
  if (request.writer !== '') {
    const stored = overlay.get(text(writerKey(request.writer)));
    const last = stored === undefined ? undefined : Number(Buffer.from(stored).readBigUInt64BE());
    if (last === request.sequence) return true;
    if (last !== undefined && request.sequence < last) {
      throw failure('ERR_STORAGE_SEQUENCE', `writer "${request.writer}" sent ${request.sequence} after ${last}`);
    }
  }
  for (const condition of request.when) {
    if (!holds(condition, overlay)) {
      const key = Buffer.from(condition.key).toString('hex');
      throw failure('ERR_STORAGE_CONDITION', `the key ${key} of "${condition.namespace}" is not as expected`);
    }
  }
  return false;
}

function holds({ namespace, key, value }: Condition, overlay: Overlay): boolean {
  const found = overlay.get(text(storedKey(namespace, key)));
  if (value === undefined || found === undefined) return value === found;
  return sameBytes(value, found);
}

function apply(request: WriteRequest, overlay: Overlay, operations: [Buffer, Uint8Array | undefined][]): void {
  for (const { namespace, key, value } of request.writes) {
    const stored = storedKey(namespace, key);
    operations.push([stored, value]);
    // Only keys that somebody of the group asks for are in the overlay.
    if (overlay.has(text(stored))) overlay.set(text(stored), value);
  }
  if (request.writer === '') return;
  const sequence = Buffer.alloc(8);
  sequence.writeBigUInt64BE(BigInt(request.sequence));
  operations.push([writerKey(request.writer), sequence]);
  overlay.set(text(writerKey(request.writer)), sequence);
}

function sizeOf(request: WriteRequest): number {
  let bytes = 64;
  for (const { key, value } of request.writes) bytes += key.length + (value?.length ?? 0) + 16;
  for (const { key, value } of request.when) bytes += key.length + (value?.length ?? 0) + 16;
  return bytes;
}
