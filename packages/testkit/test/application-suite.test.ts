import { expect } from 'chai';
import {
  concatBytes,
  failure,
  sameBytes,
  sha256,
  utf8,
  type Application,
  type ApplicationWrite,
  type ExecuteAnswer,
  type ExecuteRequest,
  type Infer,
  type QueryAnswer,
  type QueryRequest,
  type Receipt,
  type RestoreAnswer,
  type RestoreRequest,
  type Served,
  type StatePage,
  type StatePageRequest,
  type Storage,
} from '@it-chain/contracts';
import { MemoryStorage, testApplication } from '@it-chain/testkit';
import { failuresOf } from './failures-of.js';

const ROOT = utf8('root');
const EMPTY = sha256(utf8('empty'));

/** A right application: adds up numbers, one byte each. The root is the hash of the sum. */
class Adder implements Served<typeof Application> {
  constructor(readonly storage: Served<typeof Storage>) {}

  info() {
    return Promise.resolve({ name: 'adder/1', emptyRoot: EMPTY });
  }

  check({ transactions }: { readonly transactions: readonly { readonly payload: Uint8Array }[] }) {
    const verdicts = transactions.map(({ payload }) => ({ ok: payload.length === 3, code: 'ERR_ADDER', reason: '' }));
    return Promise.resolve({ verdicts });
  }

  async sumAt(root: Uint8Array): Promise<number> {
    const { values } = await this.storage.read({ namespace: 'app', keys: [ROOT] });
    const stored = values[0]?.value;
    const sum = stored === undefined ? 0 : Number(Buffer.from(stored).toString());
    if (!sameBytes(this.rootOf(sum), root)) throw failure('ERR_KV_STALE_ROOT', 'another root', { retryable: true });
    return sum;
  }

  rootOf(sum: number): Uint8Array {
    return sum === 0 ? EMPTY : sha256(utf8(`${sum}`));
  }

  async execute({ transactions, previousRoot }: Infer<typeof ExecuteRequest>): Promise<ExecuteAnswer> {
    let sum = await this.sumAt(previousRoot);
    const before = sum;
    const receipts = transactions.map(({ id, payload }): Receipt => {
      const [first, second, third] = payload;
      const fine = payload.length === 3 && first === 1 && second === 2 && third !== undefined && third > 0;
      if (fine) sum += third;
      return { id, code: fine ? 0 : 1, output: new Uint8Array(0), message: '' };
    });
    const writes: ApplicationWrite[] = sum === before ? [] : [{ key: ROOT, value: utf8(`${sum}`) }];
    return { receipts, root: this.rootOf(sum), writes };
  }

  async query({ root }: Infer<typeof QueryRequest>): Promise<QueryAnswer> {
    const sum = await this.sumAt(root);
    return { found: sum > 0, data: utf8(`${sum}`), proof: new Uint8Array(0), code: 0 };
  }
}

/** Writes at once what it should only answer. */
class WritesItself extends Adder {
  override async execute(request: Infer<typeof ExecuteRequest>): Promise<ExecuteAnswer> {
    const answer = await super.execute(request);
    await new Committer(this.storage).commit(answer.writes);
    return answer;
  }
}

/** Fails on what it cannot read. */
class Throws extends Adder {
  override execute(request: Infer<typeof ExecuteRequest>): Promise<ExecuteAnswer> {
    if (request.transactions.some(({ payload }) => payload.length !== 3)) throw new Error('cannot read this');
    return super.execute(request);
  }
}

/** Counts what it has executed so far into the root. */
class Counts extends Adder {
  #runs = 0;
  override async execute(request: Infer<typeof ExecuteRequest>): Promise<ExecuteAnswer> {
    this.#runs += 1;
    const answer = await super.execute(request);
    return { ...answer, receipts: answer.receipts.map((receipt) => ({ ...receipt, message: `run ${this.#runs}` })) };
  }
}

/** Leaves out the receipts of what it refused. */
class DropsReceipts extends Adder {
  override async execute(request: Infer<typeof ExecuteRequest>): Promise<ExecuteAnswer> {
    const answer = await super.execute(request);
    return { ...answer, receipts: answer.receipts.filter((receipt) => receipt.code === 0) };
  }
}

/** Answers at the present state, whatever root it is asked at. */
class IgnoresRoot extends Adder {
  override async sumAt(): Promise<number> {
    const { values } = await this.storage.read({ namespace: 'app', keys: [ROOT] });
    return Number(Buffer.from(values[0]?.value ?? utf8('0')).toString());
  }
}

/** Keeps its state in memory and never looks into its keyspace again. */
class Forgets extends Adder {
  #sum = 0;
  override async sumAt(): Promise<number> {
    return this.#sum;
  }
  override async execute(request: Infer<typeof ExecuteRequest>): Promise<ExecuteAnswer> {
    const answer = await super.execute(request);
    const [write] = answer.writes;
    if (write?.value !== undefined) this.#sum = Number(Buffer.from(write.value).toString());
    return answer;
  }
}

/** Lets the root depend on something that other nodes do not have. */
class Local extends Adder {
  readonly #own = utf8(String(Math.random()));
  override rootOf(sum: number): Uint8Array {
    return sum === 0 ? EMPTY : sha256(concatBytes(this.#own, utf8(`${sum}`)));
  }
}

/** Has snapshots: the sum in two pages, each the text of a number. */
class Paged extends Adder {
  async snapshot({ root, cursor }: Infer<typeof StatePageRequest>): Promise<Infer<typeof StatePage>> {
    const sum = await this.sumAt(root);
    const first = Math.ceil(sum / 2);
    return cursor.length === 0 ? { page: utf8(`${first}`), next: utf8('rest') } : { page: utf8(`${sum - first}`) };
  }

  async restore({ previousRoot, page }: Infer<typeof RestoreRequest>): Promise<Infer<typeof RestoreAnswer>> {
    const sum = (await this.sumAt(previousRoot)) + Number(Buffer.from(page).toString());
    if (!Number.isSafeInteger(sum)) throw failure('ERR_DATA_MALFORMED', 'a page that is no number');
    return { root: this.rootOf(sum), writes: [{ key: ROOT, value: utf8(`${sum}`) }] };
  }
}

/** Takes a page for the whole state. */
class ForgetsPages extends Paged {
  override async restore(request: Infer<typeof RestoreRequest>): Promise<Infer<typeof RestoreAnswer>> {
    const { root } = await super.restore({ ...request, previousRoot: await this.#present() });
    return { root, writes: [] };
  }
  async #present(): Promise<Uint8Array> {
    const { values } = await this.storage.read({ namespace: 'app', keys: [ROOT] });
    return this.rootOf(Number(Buffer.from(values[0]?.value ?? utf8('0')).toString()));
  }
}

/** Says that the first page is the last. */
class LosesPages extends Paged {
  override async snapshot(request: Infer<typeof StatePageRequest>): Promise<Infer<typeof StatePage>> {
    const { page } = await super.snapshot(request);
    return { page };
  }
}

/** Answers the root of the pages and writes another state. */
class RestoresAnother extends Paged {
  override async restore(request: Infer<typeof RestoreRequest>): Promise<Infer<typeof RestoreAnswer>> {
    const { root } = await super.restore(request);
    return { root, writes: [{ key: ROOT, value: utf8('1') }] };
  }
}

class Committer {
  constructor(readonly storage: Served<typeof Storage>) {}
  async commit(writes: readonly ApplicationWrite[]): Promise<void> {
    const all = writes.map((write) => ({ namespace: 'app' as const, ...write }));
    await this.storage.write({ writes: all, when: [], sync: true, writer: '', sequence: 0 });
  }
}

const over = (make: (storage: MemoryStorage) => Adder) => () => {
  testApplication(() => {
    const storage = new MemoryStorage();
    const committer = new Committer(storage);
    return Promise.resolve({
      application: make(storage),
      commit: (writes) => committer.commit(writes),
      restart: () => Promise.resolve(make(storage)),
      payloads: [1, 2, 3, 4].map((number) => new Uint8Array([1, 2, number])),
      question: { path: 'sum', data: new Uint8Array(0) },
      dispose: () => Promise.resolve(),
    });
  });
};

describe(
  'a right application',
  over((storage) => new Adder(storage)),
);

describe(
  'a right application with snapshots',
  over((storage) => new Paged(storage)),
);

describe('the application suite', () => {
  for (const [what, make, promise] of [
    ['writes what it should only answer', (storage: MemoryStorage) => new WritesItself(storage), 'A2'],
    ['fails on what it cannot read', (storage: MemoryStorage) => new Throws(storage), 'A4'],
    ['is no function of its input', (storage: MemoryStorage) => new Counts(storage), 'A2'],
    ['leaves out receipts', (storage: MemoryStorage) => new DropsReceipts(storage), 'A3'],
    ['keeps its state in memory', (storage: MemoryStorage) => new Forgets(storage), 'A6'],
    ['has a root of its own on each node', (storage: MemoryStorage) => new Local(storage), 'A1'],
    ['ignores the root it is asked at', (storage: MemoryStorage) => new IgnoresRoot(storage), 'A5'],
    ['takes a page for the whole state', (storage: MemoryStorage) => new ForgetsPages(storage), 'A7'],
    ['says that the first page is the last', (storage: MemoryStorage) => new LosesPages(storage), 'A7'],
    ['answers one root and restores another state', (storage: MemoryStorage) => new RestoresAnother(storage), 'A7'],
  ] as const) {
    it(`finds one that ${what}`, async () => {
      const { failed } = await failuresOf(over(make));
      expect(failed.some((title) => title.startsWith(`${promise}:`))).to.equal(true, failed.join('; '));
    });
  }
});
