import pg from 'pg';
import { failure, hasCode, messageOf, sha256, type Clock, type Log } from '@it-chain/contracts';

/** How a connection is made. */
export interface ConnectionOptions {
  readonly url: string;
  readonly schema: string;
  readonly connectMs: number;
  readonly reconnectMs: number;
  readonly statementMs: number;
}

const PAUSE_MS = 250;

/** Settings of every connection. */
export const clientConfig = ({ url, connectMs, statementMs }: ConnectionOptions): pg.ClientConfig => ({
  connectionString: url,
  connectionTimeoutMillis: connectMs,
  statement_timeout: statementMs,
  application_name: 'it-chain',
  keepAlive: true,
});

/** True for an error after which the connection is gone, or the server about to be: the same statement may work on another one. */
export function isConnectionError(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && (/^(?:08|57P0)/.test(code) || /^E(?:CONN|PIPE|TIMEDOUT|HOSTUNREACH)/.test(code)))
    return true;
  return typeof message === 'string' && /Connection terminated|not queryable|timeout expired/.test(message);
}

/**
 * The one connection that writes. It holds an advisory lock on the schema, so no second process writes, and every write goes
 * over it: whoever has lost the lock cannot write. Lost, it is made again for a while.
 */
export class WriterConnection {
  readonly #options: ConnectionOptions;
  readonly #with: { readonly clock: Clock; readonly log: Log };
  #client: pg.Client | undefined;
  #closed = false;

  constructor(options: ConnectionOptions, dependencies: { readonly clock: Clock; readonly log: Log }) {
    this.#options = options;
    this.#with = dependencies;
  }

  /** The connection, made where there is none. @throws ERR_STORAGE_IN_USE, ERR_STORAGE_IO, ERR_STORAGE_CLOSED */
  async client(): Promise<pg.Client> {
    const { clock, log } = this.#with;
    const end = clock.monotonic() + this.#options.reconnectMs;
    for (;;) {
      if (this.#closed) throw failure('ERR_STORAGE_CLOSED', 'the store is closed', { retryable: true });
      try {
        return (this.#client ??= await this.#connect());
      } catch (cause) {
        const inUse = hasCode(cause, 'ERR_STORAGE_IN_USE');
        if (clock.monotonic() >= end) {
          if (inUse) throw cause;
          throw failure('ERR_STORAGE_IO', `the database cannot be reached: ${messageOf(cause)}`, {
            cause,
            hint: 'Check url, and that the server runs and lets this user in.',
          });
        }
        log.warn('the database cannot be used now; trying again', { error: messageOf(cause) });
        await clock.sleep(PAUSE_MS);
      }
    }
  }

  /** The connection is broken: the next call makes another one. */
  drop(): void {
    const client = this.#client;
    this.#client = undefined;
    // It is gone already, or about to be; there is nobody to tell.
    client?.end().catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch((error: unknown) => {
      this.#with.log.debug('the connection was gone already', { error: messageOf(error) });
    });
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client(clientConfig(this.#options));
    // Without a listener a lost connection would end the process; the next statement finds out.
    client.on('error', (error: Error) => {
      this.#with.log.debug('the connection to the database was lost', { error: error.message });
      if (this.#client === client) this.#client = undefined;
    });
    await client.connect();
    try {
      const [high, low] = lockOf(this.#options.schema);
      const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1, $2) AS locked', [
        high,
        low,
      ]);
      if (rows[0]?.locked === true) return client;
      throw failure('ERR_STORAGE_IN_USE', `another process uses the schema ${this.#options.schema}`, {
        hint: 'Stop the other node, or give each its own schema.',
      });
    } catch (error) {
      await client.end();
      throw error;
    }
  }
}

/** The key of the advisory lock: two numbers of 32 bits from the name of the schema. */
function lockOf(schema: string): [number, number] {
  const hash = Buffer.from(sha256(Buffer.from(`it-chain/${schema}`, 'utf8')));
  return [hash.readInt32BE(0), hash.readInt32BE(4)];
}
