import {
  Application,
  Chain,
  Genesis,
  P2p,
  PoolEntries,
  Storage,
  Transport,
  TransactionBatch,
  TxPool,
  decodeTransaction,
  keyPairFromSeed,
  sha256,
  toHex,
  utf8,
  type FetchRequest,
  type Infer,
  type PoolEntry,
} from '@it-chain/contracts';
import { FakeContext, MemoryStorage, commitWrites, poolGenesis, poolTip, poolTransaction } from '@it-chain/testkit';
import plugin, { PriorityConfig } from '@it-chain/example-txpool-priority';

export const keysOf = (name: string) => keyPairFromSeed(sha256(utf8(name)));
export const genesisOf = poolGenesis;
export const transaction = (sender: string, expiresAt = 500, genesis = poolGenesis('one'), payload = 'x'): Uint8Array =>
  poolTransaction(genesis, sender, { expiresAt, payload: utf8(payload) });
export const idOf = (encoded: Uint8Array): Uint8Array => decodeTransaction(encoded).id;
export const ids = (...transactions: Uint8Array[]): string[] => transactions.map((one) => toHex(idOf(one)));

/** The plugin on doubles of what it uses. */
export class Pool {
  readonly context: FakeContext<PriorityConfig>;
  readonly fetched: Infer<typeof FetchRequest>[] = [];
  readonly answered: { readonly requestId: string; readonly body: Uint8Array; readonly errorCode: string }[] = [];
  /** What a peer answers. */
  peer: (entries: PoolEntry[]) => PoolEntry[] = (entries) => entries;
  genesis = genesisOf('one');
  sessions: string[] = [];

  constructor(
    config: Record<string, unknown> = {},
    readonly storage = new MemoryStorage(),
  ) {
    this.context = new FakeContext({ config: PriorityConfig.parse(config) });
    this.context.provide(Storage, storage);
    this.context.provide(P2p, {
      ...({} as P2p),
      network: () => Promise.resolve({ genesis: Genesis.encode(this.genesis) }),
      leader: () => Promise.resolve({ nodeId: '', height: 0, round: 0 }),
    });
    this.context.provide(Application, {
      ...({} as Application),
      check: ({ transactions }) =>
        Promise.resolve({
          verdicts: transactions.map(({ payload }) => ({
            ok: Buffer.from(payload).toString() !== 'bad',
            code: 'ERR_DOUBLE',
            reason: 'bad',
          })),
        }),
    });
    this.context.provide(Transport, {
      ...({} as Transport),
      sessions: () => Promise.resolve({ sessions: this.sessions.map((nodeId) => ({ nodeId }) as never) }),
      fetch: (request) => {
        this.fetched.push(request);
        const { transactions } = TransactionBatch.decode(request.body);
        const entries = transactions.map((one): PoolEntry => ({
          id: idOf(one),
          state: 'pending',
          code: '',
          reason: '',
        }));
        return Promise.resolve({ body: PoolEntries.encode({ entries: this.peer(entries) }) });
      },
      answer: (answer) => {
        this.answered.push(answer);
        return Promise.resolve({});
      },
    });
  }

  get role(): TxPool {
    return this.context.servedRole(TxPool);
  }

  async start(): Promise<this> {
    const running = await this.context.setup(plugin);
    await running.start();
    return this;
  }

  async submit(...transactions: Uint8Array[]): Promise<string[]> {
    const { entries } = await this.role.submit({ transactions });
    return entries.map(({ state, code }) => (code === '' ? state : code));
  }

  async take(height = 1, maxCount = 100, maxBytes = 1_000_000): Promise<string[]> {
    const { transactions } = await this.role.take({ maxCount, maxBytes, height });
    return transactions.map((one) => toHex(idOf(one)));
  }

  async commit(height: number, transactions: readonly Uint8Array[], tell = true): Promise<void> {
    const writes = commitWrites(poolTip(this.genesis, height), transactions);
    await this.storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
    if (!tell) return;
    const body = { height, digest: sha256(utf8('d')), transactions: transactions.map(idOf), time: 1 };
    await this.context.tell(Chain.events.committed, { ...body, proposer: sha256(utf8('p')), tip: height, round: 0 });
  }
}
