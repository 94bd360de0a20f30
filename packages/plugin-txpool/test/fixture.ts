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
  failure,
  keyPairFromSeed,
  sha256,
  utf8,
  verifySignature,
  type Infer,
  type KeyPair,
  type Plugin,
  type SignatureCheck,
  type FetchRequest,
} from '@it-chain/contracts';
import {
  FakeContext,
  ManualClock,
  MemoryStorage,
  commitWrites,
  overTheWire,
  poolGenesis,
  poolTip,
  poolTransaction,
  settle,
} from '@it-chain/testkit';
import { TxPoolConfig, txpoolPlugin } from '@it-chain/plugin-txpool';

export { overTheWire, poolGenesis as genesisOf } from '@it-chain/testkit';

export const keysOf = (name: string): KeyPair => keyPairFromSeed(sha256(utf8(name)));

/** A signed transaction of the application. */
export const transaction = (
  sender: string,
  { genesis = poolGenesis('one'), ...options }: { genesis?: Genesis; expiresAt?: number; payload?: Uint8Array } = {},
): Uint8Array => poolTransaction(genesis, sender, options);

export const idOf = (encoded: Uint8Array): Uint8Array => decodeTransaction(encoded).id;

interface Sent {
  readonly peer: string;
  readonly transactions: readonly Uint8Array[];
}

/** A pool on doubles: its store, the network it belongs to and the peers it has are in the hands of the test. */
export class PoolFixture {
  readonly storage: MemoryStorage;
  readonly clock = new ManualClock();
  readonly context: FakeContext<TxPoolConfig>;
  /** Batches that peers were given, in order. */
  readonly sent: Sent[] = [];
  readonly answered: { readonly requestId: string; readonly body: Uint8Array; readonly errorCode: string }[] = [];
  readonly disconnected: string[] = [];
  /** Signatures that were verified. */
  verified = 0;
  genesis: Genesis | undefined = poolGenesis('one');
  candidate: Genesis | undefined;
  leader: Uint8Array | undefined = keysOf('founder').publicKey;
  sessions: string[] = [];
  /** What a peer answers; throws to fail. */
  peer: (sent: Sent) => Infer<typeof PoolEntries>['entries'] = ({ transactions }) =>
    transactions.map((encoded) => ({ id: idOf(encoded), state: 'pending', code: '', reason: '' }));
  /** What a peer waits for before it answers. */
  hold: () => Promise<void> = () => Promise.resolve();
  running: { start(): Promise<void>; stop(): Promise<void> } | undefined;

  constructor(config: object = {}, storage = new MemoryStorage()) {
    this.storage = storage;
    this.context = new FakeContext({ config: TxPoolConfig.parse(config), clock: this.clock, seed: 'pool' });
    this.context.verify = (checks: readonly SignatureCheck[]) => {
      this.verified += checks.length;
      return Promise.resolve(checks.map((check) => verifySignature(check.publicKey, check.message, check.signature)));
    };
    this.context.provide(Storage, storage);
    this.context.provide(Application, {
      check: ({ transactions }: Parameters<Application['check']>[0]) =>
        Promise.resolve({
          verdicts: transactions.map(({ payload }) =>
            Buffer.from(payload).toString() === 'bad'
              ? { ok: false, code: 'ERR_DOUBLE', reason: 'no' }
              : { ok: true, code: '', reason: '' },
          ),
        }),
    } as unknown as Application);
    this.context.provide(P2p, {
      network: () =>
        Promise.resolve({
          genesis: this.genesis && Genesis.encode(this.genesis),
          candidate: this.candidate && Genesis.encode(this.candidate),
        }),
      leader: () => Promise.resolve({ publicKey: this.leader, nodeId: '', height: 1, round: 0 }),
    } as unknown as P2p);
    this.context.provide(Transport, {
      sessions: () => Promise.resolve({ sessions: this.sessions.map((nodeId) => ({ nodeId })) }),
      fetch: async ({ peer, kind, body }: Infer<typeof FetchRequest>) => {
        if (kind !== 'transactions') throw new Error(kind);
        const sent = { peer, transactions: TransactionBatch.decode(body).transactions };
        this.sent.push(sent);
        await this.hold();
        return { body: PoolEntries.encode({ entries: this.peer(sent) }) };
      },
      answer: (request: { requestId: string; body: Uint8Array; errorCode: string }) => {
        this.answered.push(request);
        return Promise.resolve({});
      },
      disconnect: ({ nodeId }: { nodeId: string }) => {
        this.disconnected.push(nodeId);
        return Promise.resolve({});
      },
    } as unknown as Transport);
  }

  async start(): Promise<this> {
    this.running = await this.context.setup(txpoolPlugin as unknown as Plugin);
    await this.running.start();
    await settle();
    return this;
  }

  /** The same store under a new pool: what a restart finds. */
  async restart(config: object = {}): Promise<PoolFixture> {
    await this.running?.stop();
    const next = new PoolFixture(config, this.storage);
    next.genesis = this.genesis;
    next.candidate = this.candidate;
    return next.start();
  }

  get pool(): TxPool {
    return overTheWire(TxPool, this.context.servedRole(TxPool));
  }

  async submit(...transactions: Uint8Array[]): Promise<Infer<typeof PoolEntries>['entries']> {
    return (await this.pool.submit({ transactions })).entries;
  }

  /** State or code of each. */
  async outcomes(...transactions: Uint8Array[]): Promise<string[]> {
    return (await this.submit(...transactions)).map(({ state, code }) => (code === '' ? state : code));
  }

  async take(height = 1, maxCount = 10_000, maxBytes = 10_000_000): Promise<readonly Uint8Array[]> {
    return (await this.pool.take({ maxCount, maxBytes, height })).transactions;
  }

  /** What chain does when it commits: its index and its tip are in the store; the event may get lost. */
  async commit(height: number, transactions: readonly Uint8Array[], told = true): Promise<void> {
    const writes = commitWrites(poolTip(this.genesis ?? poolGenesis('one'), height), transactions);
    await this.storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
    if (told) await this.tellCommitted(height, transactions.map(idOf));
  }

  async tellCommitted(height: number, ids: readonly Uint8Array[]): Promise<void> {
    const body = { height, digest: new Uint8Array(32), transactions: ids, tip: height, time: height, round: 0 };
    await this.context.tell(Chain.events.committed, { ...body, proposer: keysOf('founder').publicKey });
  }

  async connect(nodeId: string): Promise<void> {
    this.sessions.push(nodeId);
    const hello = { genesis: new Uint8Array(0), height: 0, name: '', addresses: [], candidate: new Uint8Array(0) };
    await this.context.tell(Transport.events.connected, {
      nodeId,
      publicKey: new Uint8Array(32),
      address: '',
      direction: 'inbound',
      since: 0,
      hello: { ...hello, leader: new Uint8Array(0) },
    });
    await settle();
  }

  /** A batch from a peer. @returns what it is answered */
  async ask(from: string, body: Uint8Array): Promise<{ readonly body: Uint8Array; readonly errorCode: string }> {
    const requestId = `request-${this.answered.length}`;
    await this.context.tell(Transport.events.asked, {
      from,
      publicKey: new Uint8Array(32),
      requestId,
      kind: 'transactions',
      body,
    });
    await settle();
    const answer = this.answered.find((one) => one.requestId === requestId);
    if (answer === undefined) throw failure('ERR_PEER_TIMEOUT', 'no answer');
    return answer;
  }

  /** What one peer was given, batch after batch. */
  given(peer: string): Uint8Array[] {
    return this.sent.filter((one) => one.peer === peer).flatMap(({ transactions }) => transactions);
  }
}
