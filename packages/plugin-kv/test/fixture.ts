import {
  KvOperation,
  KvRangeAnswer,
  KvRangeQuery,
  SPARSE_EMPTY,
  type ExecuteAnswer,
  type QueryAnswer,
} from '@it-chain/contracts';
import { MemoryStorage, applicationTransactions } from '@it-chain/testkit';
import { KvApplication } from '@it-chain/plugin-kv';

export const put = (key: Uint8Array, value: Uint8Array): Uint8Array => KvOperation.encode({ put: { key, value } });
export const remove = (key: Uint8Array): Uint8Array => KvOperation.encode({ delete: { key } });
export const compareAndSet = (
  key: Uint8Array,
  expected: Uint8Array | undefined,
  value: Uint8Array | undefined,
): Uint8Array => KvOperation.encode({ compareAndSet: { key, expected, value } });

/** An application and its keyspace, committed block by block. */
export class Ledger {
  readonly storage = new MemoryStorage();
  readonly application: KvApplication;
  root: Uint8Array = SPARSE_EMPTY;
  height = 0;

  constructor(cachePages = 4_096) {
    this.application = new KvApplication({ cachePages }, { storage: this.storage });
  }

  execute(payloads: readonly Uint8Array[]): Promise<ExecuteAnswer> {
    const transactions = applicationTransactions(payloads);
    return this.application.execute({ height: this.height + 1, time: 1, transactions, previousRoot: this.root });
  }

  async commit(payloads: readonly Uint8Array[]): Promise<ExecuteAnswer> {
    const answer = await this.execute(payloads);
    const writes = answer.writes.map((write) => ({ namespace: 'app' as const, ...write }));
    await this.storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
    this.root = answer.root;
    this.height += 1;
    return answer;
  }

  get(key: Uint8Array, root = this.root): Promise<QueryAnswer> {
    return this.application.query({ path: 'get', data: key, prove: true, root });
  }

  async range(query: Partial<Parameters<typeof KvRangeQuery.encode>[0]>): Promise<string[]> {
    const data = KvRangeQuery.encode({ from: new Uint8Array(0), limit: 0, reverse: false, ...query });
    const answer = await this.application.query({ path: 'range', data, prove: false, root: this.root });
    return KvRangeAnswer.decode(answer.data).entries.map(({ key }) => Buffer.from(key).toString('utf8'));
  }
}
