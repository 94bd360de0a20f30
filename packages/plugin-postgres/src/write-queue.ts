import type pg from 'pg';
import { failure, sameBytes, toHex, type Condition, type WriteRequest } from '@it-chain/contracts';
import { numberOf, openValue, sealValue } from './entry-seal.js';
import type { Statements } from './sql.js';
import { isConnectionError, type WriterConnection } from './writer-connection.js';

/** How much waits and how much is written in one transaction. */
export interface WriteQueueOptions {
  readonly maxQueuedBytes: number;
  readonly maxGroupBytes: number;
}

/** What a queue needs around it. */
export interface WriteQueueDependencies {
  readonly connection: WriterConnection;
  readonly statements: Statements;
  /** Number of the last transaction so far. */
  readonly batch: number;
  /** Told once, when the database is lost or a value is damaged. */
  readonly failed: (error: Error) => void;
}

interface Waiting {
  readonly request: WriteRequest;
  readonly bytes: number;
  readonly resolve: (repeated: boolean) => void;
  readonly reject: (error: Error) => void;
}

interface Change {
  readonly namespace: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** What one group does to the tables. */
interface Group {
  readonly changes: Map<string, Change>;
  readonly writers: Map<string, number>;
  readonly outcomes: (() => void)[];
  readonly sync: boolean;
}

const nameOf = (namespace: number, key: Uint8Array): string => `${namespace}/${toHex(key)}`;

/**
 * Writes requests one after the other, so that conditions and writes are one step. What waits at the same time shares one
 * transaction; each request still holds or fails on its own. Where the connection is lost, the number of the last
 * transaction says whether it was committed, so none is done twice and none is forgotten.
 */
export class WriteQueue {
  readonly #options: WriteQueueOptions;
  readonly #with: WriteQueueDependencies;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  #batch: number;
  #stopped: Error | undefined;

  constructor(options: WriteQueueOptions, dependencies: WriteQueueDependencies) {
    this.#options = options;
    this.#with = dependencies;
    this.#batch = dependencies.batch;
  }

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

  /** Writes what waits and accepts no more. */
  async close(): Promise<void> {
    this.stop(failure('ERR_STORAGE_CLOSED', 'the store is closed', { retryable: true }));
    await this.#running;
  }

  async #run(): Promise<void> {
    // Whatever is asked for in the same turn of the event loop belongs to the same group.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#take();
      try {
        for (const outcome of await this.#commit(group)) outcome();
      } catch (error) {
        this.#fail(error as Error, group);
      }
    }
    this.#running = undefined;
  }

  #fail(error: Error, group: readonly Waiting[]): void {
    this.stop(error);
    for (const { reject } of [...group, ...this.#waiting]) reject(error);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#with.failed(error);
  }

  #take(): Waiting[] {
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

  /** One transaction, over again where the connection was lost before it was committed. */
  async #commit(waiting: readonly Waiting[]): Promise<readonly (() => void)[]> {
    const { connection, statements } = this.#with;
    let group: Group | undefined;
    for (;;) {
      const client = await connection.client();
      try {
        const { rows } = await client.query<{ batch: string }>(statements.store);
        const stored = Number(rows[0]?.batch ?? -1);
        if (group !== undefined && stored === this.#batch + 1) {
          // The answer was lost, not the transaction.
          this.#batch = stored;
          return group.outcomes;
        }
        if (stored !== this.#batch) {
          const what = `transaction ${stored} is the last in the store, not ${this.#batch}`;
          throw failure('ERR_STORAGE_DAMAGED', `somebody else has written to the store: ${what}`);
        }
        group = judgeAll(waiting, await this.#load(client, waiting));
        if (group.changes.size + group.writers.size > 0) await this.#write(client, group);
        return group.outcomes;
      } catch (error) {
        if (!isConnectionError(error)) throw asStorageError(error);
        connection.drop();
      }
    }
  }

  async #write(client: pg.Client, { changes, writers, sync }: Group): Promise<void> {
    const { statements } = this.#with;
    const all = [...changes.values()];
    const puts = all.filter((change) => change.value !== undefined);
    const removed = all.filter(({ value }) => value === undefined);
    try {
      await client.query(`BEGIN; SET LOCAL synchronous_commit = ${sync ? 'on' : 'off'}`);
      if (removed.length > 0) await client.query(statements.remove, columnsOf(removed));
      if (puts.length > 0) {
        const values = puts.map(({ namespace, key, value }) => sealValue(namespace, key, value ?? new Uint8Array(0)));
        await client.query(statements.put, [...columnsOf(puts), values]);
      }
      if (writers.size > 0) await client.query(statements.putWriters, [[...writers.keys()], [...writers.values()]]);
      await client.query(statements.count, [this.#batch + 1]);
      await client.query('COMMIT');
    } catch (error) {
      if (!isConnectionError(error)) await client.query('ROLLBACK');
      throw error;
    }
    this.#batch += 1;
  }

  /** What the group's conditions and sequences are about. */
  async #load(client: pg.Client, waiting: readonly Waiting[]): Promise<Loaded> {
    const { statements } = this.#with;
    const conditions = waiting.flatMap(({ request }) => request.when);
    const names = [...new Set(waiting.map(({ request }) => request.writer).filter((name) => name !== ''))];
    const values = new Map<string, Uint8Array>();
    const sequences = new Map<string, number>();
    if (conditions.length > 0) {
      const wanted = conditions.map(({ namespace, key }) => ({ namespace: numberOf(namespace), key }));
      const { rows } = await client.query<{ namespace: number; key: Buffer; value: Buffer }>(
        statements.readMany,
        columnsOf(wanted),
      );
      for (const { namespace, key, value } of rows)
        values.set(nameOf(namespace, key), openValue(namespace, key, value));
    }
    if (names.length > 0) {
      const { rows } = await client.query<{ name: string; sequence: string }>(statements.writers, [names]);
      for (const { name, sequence } of rows) sequences.set(name, Number(sequence));
    }
    return { values, sequences };
  }
}

interface Loaded {
  readonly values: Map<string, Uint8Array>;
  readonly sequences: Map<string, number>;
}

const columnsOf = (changes: readonly { readonly namespace: number; readonly key: Uint8Array }[]): unknown[] => [
  changes.map(({ namespace }) => namespace),
  changes.map(({ key }) => Buffer.from(key)),
];

/** What a group does, each request judged on what the ones before it did. */
function judgeAll(waiting: readonly Waiting[], { values, sequences }: Loaded): Group {
  const changes = new Map<string, Change>();
  const writers = new Map<string, number>();
  const outcomes: (() => void)[] = [];
  const present = (condition: Condition): Uint8Array | undefined => {
    const name = nameOf(numberOf(condition.namespace), condition.key);
    const changed = changes.get(name);
    return changed === undefined ? values.get(name) : changed.value;
  };
  for (const { request, resolve, reject } of waiting) {
    try {
      const repeated = isRepeated(request, writers.get(request.writer) ?? sequences.get(request.writer));
      if (!repeated) {
        for (const condition of request.when) requireCondition(condition, present(condition));
        for (const { namespace, key, value } of request.writes) {
          changes.set(nameOf(numberOf(namespace), key), { namespace: numberOf(namespace), key, value });
        }
        if (request.writer !== '') writers.set(request.writer, request.sequence);
      }
      outcomes.push(() => resolve(repeated));
    } catch (error) {
      // Coded errors only: a condition or a sequence that does not hold.
      outcomes.push(() => reject(error as Error));
    }
  }
  return { changes, writers, outcomes, sync: waiting.some(({ request }) => request.sync) };
}

function isRepeated({ writer, sequence }: WriteRequest, last: number | undefined): boolean {
  if (writer === '' || last === undefined || sequence > last) return false;
  if (sequence === last) return true;
  throw failure('ERR_STORAGE_SEQUENCE', `writer "${writer}" sent ${sequence} after ${last}`);
}

function requireCondition({ namespace, key, value }: Condition, found: Uint8Array | undefined): void {
  const holds = value === undefined || found === undefined ? value === found : sameBytes(value, found);
  if (!holds) throw failure('ERR_STORAGE_CONDITION', `the key ${toHex(key)} of "${namespace}" is not as expected`);
}

/** An error of the server, as the role has it. */
export function asStorageError(error: unknown): Error {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && code.startsWith('ERR_')) return error as Error;
  // XX001 and XX002: the server itself found a damaged page or index.
  const damaged = code === 'XX001' || code === 'XX002';
  const text = typeof message === 'string' ? message : String(error);
  return failure(damaged ? 'ERR_STORAGE_DAMAGED' : 'ERR_STORAGE_IO', `the database failed: ${text}`, { cause: error });
}

function sizeOf({ writes, when }: WriteRequest): number {
  let bytes = 64;
  for (const list of [writes, when]) {
    for (const { key, value } of list) bytes += key.length + (value?.length ?? 0) + 16;
  }
  return bytes;
}
