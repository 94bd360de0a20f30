import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Clock } from '@it-chain/contracts';
import { RecordingLog } from '@it-chain/testkit';
import { PostgresConfig, PostgresStorage, type PostgresStorageOptions } from '@it-chain/plugin-postgres';

/** The clock of the machine: a database answers in real time. */
const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  every: (ms, run) => {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

let schemas = 0;

/** One schema of the test database with the folder of its node, opened as often as the test likes. */
export class StoreUnderTest {
  readonly schema = `test_${process.pid}_${(schemas += 1)}`;
  readonly log = new RecordingLog();
  readonly failures: Error[] = [];
  readonly #open = new Set<PostgresStorage>();

  private constructor(
    readonly url: string,
    readonly directory: string,
  ) {}

  static async make(url: string): Promise<StoreUnderTest> {
    return new StoreUnderTest(url, await mkdtemp(join(tmpdir(), 'it-chain-pg-store-')));
  }

  async open(options: Partial<PostgresStorageOptions> = {}): Promise<PostgresStorage> {
    const storage = await PostgresStorage.open(
      {
        ...PostgresConfig.parse({ url: this.url, reconnectMs: 10_000 }),
        schema: this.schema,
        directory: this.directory,
        ...options,
      },
      {
        clock,
        log: this.log,
        random: (length) => crypto.getRandomValues(new Uint8Array(length)),
        failing: (error) => this.failures.push(error),
      },
    );
    this.#open.add(storage);
    return storage;
  }

  async closeAll(): Promise<void> {
    for (const storage of this.#open) await storage.close();
    this.#open.clear();
  }

  /** Runs a statement behind the back of the store. */
  async sql(text: string, values: unknown[] = []): Promise<pg.QueryResult> {
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    try {
      return await client.query(text, values);
    } finally {
      await client.end();
    }
  }

  /** Breaks every connection of the stores, as a kill -9 of the node, or a lost network, does. */
  async cutConnections(): Promise<void> {
    await this.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'it-chain' AND pid <> pg_backend_pid()`,
    );
  }

  async dispose(): Promise<void> {
    await this.closeAll();
    await this.sql(`DROP SCHEMA IF EXISTS ${this.schema} CASCADE`);
    await rm(this.directory, { recursive: true, force: true });
  }
}
