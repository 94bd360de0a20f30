import {
  sha256,
  toHex,
  utf8,
  failure,
  type Application,
  type ApplicationWrite,
  type Receipt,
} from '@it-chain/contracts';
import type { MemoryStorage } from './memory-storage.js';

type StatePageAsked = Parameters<NonNullable<Application['snapshot']>>[0];
type RestoreAsked = Parameters<NonNullable<Application['restore']>>[0];

/** A state machine of `key=value` payloads that keeps everything in its keyspace of the store. */
export class PairsApplication implements Application {
  readonly #storage: MemoryStorage;
  name = 'pairs/1';
  /** Makes its state different from that of others. */
  salt = '';

  constructor(storage: MemoryStorage) {
    this.#storage = storage;
  }

  /** The call `application.info`. */
  info(): Promise<{ name: string; emptyRoot: Uint8Array }> {
    return Promise.resolve({ name: this.name, emptyRoot: rootOf(new Map()) });
  }

  /** The call `application.check`. */
  check({ transactions }: Parameters<Application['check']>[0]): ReturnType<Application['check']> {
    return Promise.resolve({ verdicts: transactions.map(() => ({ ok: true, code: '', reason: '' })) });
  }

  /** The call `application.query`. */
  query(): ReturnType<Application['query']> {
    return Promise.reject(failure('ERR_ROLE_UNKNOWN_CALL', 'the application of pairs answers no queries'));
  }

  /** The call `application.execute`. */
  async execute({
    transactions,
    previousRoot,
  }: Parameters<Application['execute']>[0]): ReturnType<Application['execute']> {
    const state = await this.#stateAt(previousRoot);
    const writes = new Map<string, ApplicationWrite>();
    const receipts = transactions.map(({ id, payload }): Receipt => {
      const [key, value] = Buffer.from(payload).toString().split('=');
      if (!key || !value) return { id, code: 1, output: new Uint8Array(0), message: 'not a pair' };
      state.set(key, value + this.salt);
      writes.set(key, { key: utf8(key), value: utf8(value + this.salt) });
      return { id, code: 0, output: utf8(value), message: '' };
    });
    return { receipts, root: rootOf(state), writes: [...writes.values()] };
  }

  /** Three pairs a page. */
  async snapshot({ root, cursor }: StatePageAsked): Promise<{ page: Uint8Array; next?: Uint8Array }> {
    const pairs = [...(await this.#stateAt(root))].sort(([a], [b]) => (a < b ? -1 : 1));
    const from = Number(Buffer.from(cursor).toString() || '0');
    const page = utf8(JSON.stringify(pairs.slice(from, from + 3)));
    return from + 3 < pairs.length ? { page, next: utf8(String(from + 3)) } : { page };
  }

  /** The call `application.restore`. */
  async restore({ previousRoot, page }: RestoreAsked): Promise<{ root: Uint8Array; writes: ApplicationWrite[] }> {
    const state = await this.#stateAt(previousRoot);
    const pairs = JSON.parse(Buffer.from(page).toString()) as [string, string][];
    for (const [key, value] of pairs) state.set(key, value);
    return { root: rootOf(state), writes: pairs.map(([key, value]) => ({ key: utf8(key), value: utf8(value) })) };
  }

  /** Root of what is in the keyspace now. */
  async root(): Promise<Uint8Array> {
    return rootOf(await this.#state());
  }

  async #stateAt(root: Uint8Array): Promise<Map<string, string>> {
    const state = await this.#state();
    if (toHex(rootOf(state)) === toHex(root)) return state;
    throw new Error('the keyspace is not at the root that is asked for');
  }

  async #state(): Promise<Map<string, string>> {
    const all = { from: new Uint8Array(0), limit: 100_000, maxBytes: 10_000_000, reverse: false };
    const { entries } = await this.#storage.range({ namespace: 'app', ...all });
    return new Map(entries.map(({ key, value }) => [Buffer.from(key).toString(), Buffer.from(value).toString()]));
  }
}

const rootOf = (state: ReadonlyMap<string, string>): Uint8Array =>
  sha256(utf8(JSON.stringify([...state].sort(([a], [b]) => (a < b ? -1 : 1)))));
