import {
  ItChainError,
  concatBytes,
  sameBytes,
  sha256,
  utf8,
  type Application,
  type Storage,
} from '@it-chain/contracts';

type Asked<C extends keyof Application> = Parameters<Application[C]>[0];
type Answer<C extends keyof Application> = ReturnType<Application[C]>;

const NAME = /^[a-z0-9-]{1,32}$/;
const ROOT = utf8('root');
const EMPTY_ROOT = sha256(utf8('my-plugin/1'));
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

/** Counts: a transaction is the name of a counter, and adds one to it. The root commits to every write since the genesis. */
export class Tally implements Application {
  constructor(
    readonly options: { readonly maxNameBytes: number },
    readonly storage: Storage,
  ) {}

  async info(): Answer<'info'> {
    return { name: 'my-plugin/1', emptyRoot: EMPTY_ROOT };
  }

  async check({ transactions }: Asked<'check'>): Answer<'check'> {
    const ok = (payload: Uint8Array) => payload.length <= this.options.maxNameBytes && NAME.test(text(payload));
    const refused = { ok: false, code: 'ERR_TALLY_NAME', reason: 'a name is made of a-z, 0-9 and -' };
    return {
      verdicts: transactions.map(({ payload }) => (ok(payload) ? { ok: true, code: '', reason: '' } : refused)),
    };
  }

  /** Must be the same on every node: a function of the state at `previousRoot` and the transactions, and of nothing else. */
  async execute({ transactions, previousRoot }: Asked<'execute'>): Answer<'execute'> {
    await this.#requireRoot(previousRoot);
    const counts = new Map<string, number>();
    const receipts = [];
    for (const { id, payload } of transactions) {
      const name = text(payload);
      const known = NAME.test(name);
      const count = known ? (counts.get(name) ?? (await this.#count(name))) + 1 : 0;
      if (known) counts.set(name, count);
      receipts.push({ id, code: known ? 0 : 1, output: utf8(String(count)), message: known ? '' : 'not a name' });
    }
    const writes = [...counts].map(([name, count]) => ({ key: utf8(`count/${name}`), value: utf8(String(count)) }));
    const changes = writes.map(({ key, value }) => sha256(concatBytes(key, utf8('='), value)));
    const root = changes.length === 0 ? previousRoot : sha256(concatBytes(previousRoot, ...changes));
    return { receipts, root, writes: changes.length === 0 ? [] : [...writes, { key: ROOT, value: root }] };
  }

  /** The one question: the count of the name in `data`. */
  async query({ data, root }: Asked<'query'>): Answer<'query'> {
    await this.#requireRoot(root);
    const count = await this.#count(text(data));
    return { found: count > 0, data: utf8(String(count)), proof: new Uint8Array(0), code: 0 };
  }

  async #count(name: string): Promise<number> {
    return Number(text((await this.#read(utf8(`count/${name}`))) ?? utf8('0')));
  }

  async #requireRoot(root: Uint8Array): Promise<void> {
    if (sameBytes((await this.#read(ROOT)) ?? EMPTY_ROOT, root)) return;
    throw new ItChainError('ERR_TALLY_STALE_ROOT', 'the state of this root is not here', { retryable: true });
  }

  async #read(key: Uint8Array): Promise<Uint8Array | undefined> {
    const { values } = await this.storage.read({ namespace: 'app', keys: [key] });
    return values[0]?.value;
  }
}
