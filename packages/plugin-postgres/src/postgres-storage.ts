import pg from 'pg';
import {
  failure,
  hasCode,
  messageOf,
  toHex,
  type Clock,
  type Infer,
  type Log,
  type RangeAnswer,
  type RangeRequest,
  type ReadAnswer,
  type ReadRequest,
  type Storage,
  type VerifyStoreAnswer,
  type WriteAnswer,
  type WriteRequest,
} from '@it-chain/contracts';
import { describeKey, numberOf, openValue } from './entry-seal.js';
import { readMarker, writeMarker } from './marker.js';
import { STORE_FORMAT, statementsFor, type Statements } from './sql.js';
import { WriteQueue, asStorageError, type WriteQueueOptions } from './write-queue.js';
import { WriterConnection, clientConfig, isConnectionError, type ConnectionOptions } from './writer-connection.js';

/** What a store is opened with. */
export interface PostgresStorageOptions extends ConnectionOptions, WriteQueueOptions {
  readonly readers: number;
  /** Where the node notes which store it uses. */
  readonly directory: string;
}

/** What a store needs around it. */
export interface PostgresStorageDependencies {
  readonly clock: Clock;
  readonly log: Log;
  /** Random bytes of a length. */
  readonly random: (length: number) => Uint8Array;
  /** Told once when the store can no longer be trusted or reached: ERR_STORAGE_IO or ERR_STORAGE_DAMAGED. */
  readonly failing: (error: Error) => void;
}

const DEFAULT_LIMIT = 1_000;
const MAX_LIMIT = 65_536;
const DEFAULT_BYTES = 1024 * 1024;
const MAX_BYTES = 4 * 1024 * 1024;
const MAX_PROBLEMS = 1_000;
const READ_PAUSE_MS = 100;

/** The storage role on one schema of a PostgreSQL database. Open it with {@link PostgresStorage.open}. */
export class PostgresStorage implements Storage {
  readonly #options: PostgresStorageOptions;
  readonly #with: PostgresStorageDependencies;
  readonly #statements: Statements;
  readonly #connection: WriterConnection;
  readonly #readers: pg.Pool;
  readonly #queue: WriteQueue;
  #told = false;
  #closed = false;

  /**
   * Opens the store of the schema, or makes it where none was.
   * @throws ERR_STORAGE_DAMAGED, ERR_STORAGE_IN_USE, ERR_STORAGE_IO
   */
  static async open(
    options: PostgresStorageOptions,
    dependencies: PostgresStorageDependencies,
  ): Promise<PostgresStorage> {
    const connection = new WriterConnection(options, dependencies);
    const statements = statementsFor(options.schema);
    try {
      const batch = await openTables(await connection.client(), statements, options, dependencies);
      return new PostgresStorage(options, dependencies, { connection, statements, batch });
    } catch (error) {
      await connection.close();
      throw asStorageError(error);
    }
  }

  private constructor(
    options: PostgresStorageOptions,
    dependencies: PostgresStorageDependencies,
    opened: { readonly connection: WriterConnection; readonly statements: Statements; readonly batch: number },
  ) {
    this.#options = options;
    this.#with = dependencies;
    this.#statements = opened.statements;
    this.#connection = opened.connection;
    this.#readers = new pg.Pool({ ...clientConfig(options), max: options.readers });
    // Without a listener a lost idle connection would end the process; the next question makes another one.
    this.#readers.on('error', (error) => {
      dependencies.log.debug('an idle connection to the database was lost', { error: error.message });
    });
    this.#queue = new WriteQueue(options, { ...opened, failed: (error) => this.#fail(error) });
  }

  /** Bytes of writes that wait. */
  get queuedBytes(): number {
    return this.#queue.queuedBytes;
  }

  /** The call `storage.read`. */
  async read({ namespace, keys }: Infer<typeof ReadRequest>): Promise<Infer<typeof ReadAnswer>> {
    const number = numberOf(namespace);
    const rows = await this.#ask<{ key: Buffer; value: Buffer }>(this.#statements.read, [number, keys.map(asBuffer)]);
    const found = new Map(rows.map(({ key, value }) => [toHex(key), value]));
    return this.#opening(() => ({
      values: keys.map((key) => {
        const value = found.get(toHex(key));
        return value === undefined ? {} : { value: openValue(number, key, value) };
      }),
    }));
  }

  /** The call `storage.range`. */
  async range(request: Infer<typeof RangeRequest>): Promise<Infer<typeof RangeAnswer>> {
    const { namespace, from, to, reverse } = request;
    const number = numberOf(namespace);
    const limit = Math.min(request.limit === 0 ? DEFAULT_LIMIT : request.limit, MAX_LIMIT);
    const maxBytes = Math.min(request.maxBytes === 0 ? DEFAULT_BYTES : request.maxBytes, MAX_BYTES);
    const end = to === undefined ? [] : [asBuffer(to)];
    const open = to === undefined;
    const first = [number, asBuffer(from)];
    const page = await this.#ask<{ key: Buffer; value: Buffer }>(this.#statements.range(reverse, open), [
      ...first,
      limit,
      maxBytes,
      ...end,
    ]);
    const last = page.at(-1);
    if (last === undefined) return { entries: [], more: false };
    const rest = await this.#ask(this.#statements.more(reverse, open), [...first, last.key, ...end]);
    return this.#opening(() => ({
      entries: page.map(({ key, value }) => ({ key, value: openValue(number, key, value) })),
      more: rest.length > 0,
    }));
  }

  /** The call `storage.write`. */
  async write(request: WriteRequest): Promise<Infer<typeof WriteAnswer>> {
    return { repeated: await this.#queue.write(request) };
  }

  /** The call `storage.verify`. */
  async verify(): Promise<Infer<typeof VerifyStoreAnswer>> {
    let entries = 0;
    let bytes = 0;
    const problems: string[] = [];
    for (let after: [number, Buffer] = [0, Buffer.alloc(0)]; ;) {
      const page = await this.#ask<{ namespace: number; key: Buffer; value: Buffer }>(this.#statements.walk, after);
      for (const { namespace, key, value } of page) {
        entries += 1;
        bytes += key.length + value.length;
        try {
          openValue(namespace, key, value);
        } catch {
          // The walk goes on: one sentence for each damaged value.
          if (problems.length < MAX_PROBLEMS)
            problems.push(`the value of ${describeKey(namespace, key)} does not match its checksum`);
        }
      }
      const last = page.at(-1);
      if (last === undefined) return { entries, bytes, problems };
      after = [last.namespace, last.key];
    }
  }

  /** Finishes the writes that wait and closes all connections. Safe to call twice. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#queue.close();
    await this.#readers.end();
    await this.#connection.close();
  }

  /** A question that changes nothing: asked again on another connection where one was lost. */
  async #ask<Row extends pg.QueryResultRow>(text: string, values: unknown[]): Promise<Row[]> {
    const { clock } = this.#with;
    const end = clock.monotonic() + this.#options.reconnectMs;
    for (;;) {
      if (this.#closed) throw failure('ERR_STORAGE_CLOSED', 'the store is closed', { retryable: true });
      try {
        return (await this.#readers.query<Row>(text, values)).rows;
      } catch (error) {
        if (!isConnectionError(error) || clock.monotonic() >= end) {
          const answer = asStorageError(error);
          this.#fail(answer);
          throw answer;
        }
        this.#with.log.warn('the database cannot be read now; trying again', { error: messageOf(error) });
        await clock.sleep(READ_PAUSE_MS);
      }
    }
  }

  #opening<T>(open: () => T): T {
    try {
      return open();
    } catch (error) {
      this.#fail(error as Error);
      throw error;
    }
  }

  #fail(error: Error): void {
    if (this.#closed || hasCode(error, 'ERR_STORAGE_CLOSED')) return;
    this.#queue.stop(error);
    if (this.#told) return;
    this.#told = true;
    this.#with.failing(error);
  }
}

/** Finds the tables or makes them; gives the number of the last transaction. */
async function openTables(
  client: pg.Client,
  statements: Statements,
  { schema, directory }: PostgresStorageOptions,
  { random }: PostgresStorageDependencies,
): Promise<number> {
  const marker = await readMarker(directory);
  const { rows } = await client.query<{ found: boolean }>(statements.exists);
  if (rows[0]?.found !== true) {
    if (marker !== undefined) {
      throw failure('ERR_STORAGE_DAMAGED', `the schema ${schema} holds no store, where this node had one`, {
        hint: 'Restore the database from a backup, or use an empty data directory to join again.',
      });
    }
    const storeId = toHex(random(16));
    await client.query('BEGIN');
    await client.query(statements.create);
    await client.query(statements.found, [storeId]);
    await client.query('COMMIT');
    await writeMarker(directory, storeId);
    return 0;
  }
  const store = (await client.query<{ format: number; store_id: string; batch: string }>(statements.store)).rows[0];
  if (store?.format !== STORE_FORMAT) {
    throw failure(
      'ERR_STORAGE_DAMAGED',
      `the store of ${schema} has format ${store?.format ?? 'none'}, this version reads ${STORE_FORMAT}`,
    );
  }
  // A crash between the commit and the marker leaves an empty store that nobody has noted yet.
  if (marker === undefined && Number(store.batch) === 0) await writeMarker(directory, store.store_id);
  else if (marker !== store.store_id) {
    throw failure('ERR_STORAGE_DAMAGED', `the store of ${schema} is not the one that this node has used`, {
      hint: 'Give each node a schema of its own; a node keeps its data directory together with its schema.',
    });
  }
  return Number(store.batch);
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
