import {
  Application,
  Chain,
  ChainTip,
  GENESIS_DEFAULTS,
  Genesis,
  Location,
  P2p,
  PoolEntries,
  Storage,
  Transport,
  TransactionBatch,
  TxPool,
  chainKeys,
  decodeTransaction,
  keyPairFromSeed,
  networkOf,
  nodeIdOf,
  sha256,
  signTransaction,
  toHex,
  utf8,
  type FetchRequest,
  type Infer,
  type KeyPair,
  type Plugin,
  type PoolEntry,
  type Write,
} from '@it-chain/contracts';
import { CrashingStorage } from '../doubles/crashing-storage.js';
import { FakeContext } from '../doubles/fake-context.js';
import { ManualClock, settle } from '../doubles/manual-clock.js';

const keysOf = (name: string): KeyPair => keyPairFromSeed(sha256(utf8(name)));
const NOTHING = new Uint8Array(0);

/** A genesis with a small window and small transactions, so that both limits can be reached. */
export const poolGenesis = (name: string): Genesis => ({
  ...GENESIS_DEFAULTS,
  nonce: sha256(utf8(name)),
  founder: keysOf('founder').publicKey,
  validators: [keysOf('founder').publicKey],
  admission: 'open',
  window: 1_000,
  maxTransactionBytes: 2_000,
  application: 'tested/1',
  time: 1,
});

let nonces = 0;

/** A signed transaction of the application, another one with every call. */
export function poolTransaction(
  genesis: Genesis,
  sender: string,
  options: { readonly expiresAt?: number; readonly payload?: Uint8Array } = {},
): Uint8Array {
  const nonce = Buffer.alloc(8);
  nonce.writeUInt32BE((nonces += 1));
  const { expiresAt = 500, payload = utf8('fine') } = options;
  return signTransaction({ network: networkOf(genesis), nonce, expiresAt, application: payload }, keysOf(sender));
}

/** The id of an encoded transaction. */
export const idOf = (encoded: Uint8Array): Uint8Array => decodeTransaction(encoded).id;

/** The outcome of one submitted transaction: its state, or the code of its rejection. */
export const outcomeOf = ({ state, code }: PoolEntry): string => (code === '' ? state : code);

/** A tip of a chain with one validator. */
export function poolTip(genesis: Genesis, height: number): ChainTip {
  const founder = keysOf('founder').publicKey;
  const set = { validators: [{ publicKey: founder, sequence: 0 }] };
  return {
    network: networkOf(genesis),
    height,
    digest: sha256(utf8(`block ${height}`)),
    stateRoot: new Uint8Array(32),
    rootCertified: true,
    time: height,
    proposer: founder,
    proposerSequence: 0,
    validators: set,
    nextValidators: set,
    learners: [],
    systemRoot: new Uint8Array(32),
    applicationRoot: new Uint8Array(32),
  };
}

/** What a chain writes with a block, as far as a pool reads it: its tip, and where the transactions stand. */
export function commitWrites(tip: ChainTip, transactions: readonly Uint8Array[]): Write[] {
  const places = transactions.map((encoded, index) => ({
    namespace: 'chain' as const,
    key: chainKeys.transaction(idOf(encoded)),
    value: Location.encode({ height: tip.height, index }),
  }));
  return [{ namespace: 'chain', key: chainKeys.tip, value: ChainTip.encode(tip) }, ...places];
}

/** A pool plugin on doubles: store, network, chain and peers are in the hands of the test. The clock is moved by it too. */
export class PoolBench {
  readonly clock: ManualClock;
  readonly context: FakeContext;
  readonly storage: CrashingStorage;
  /** Encoded transactions that each peer was given, in order. */
  readonly given = new Map<string, Uint8Array[]>();
  genesis: Genesis = poolGenesis('one');
  height: number;
  readonly #plugin: Plugin;
  readonly #sessions: string[] = [];
  #running: { start(): Promise<void>; stop(): Promise<void> } | undefined;

  constructor(plugin: Plugin, config: unknown, before?: PoolBench, storage = before?.storage ?? new CrashingStorage()) {
    this.#plugin = plugin;
    this.storage = storage;
    this.clock = new ManualClock(before?.clock.now());
    this.height = before?.height ?? 0;
    this.context = new FakeContext({ config: plugin.config?.parse(config ?? {}), clock: this.clock, seed: 'pool' });
    this.#provide();
  }

  /** Starts the pool, and gives it the moment it may need to learn which network it belongs to. */
  async start(): Promise<this> {
    this.#running = await this.context.setup(this.#plugin);
    await this.#running.start();
    await this.clock.advance(5_000);
    return this;
  }

  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = undefined;
  }

  get pool(): TxPool {
    return this.context.servedRole(TxPool);
  }

  /** A signed transaction of the application. */
  transaction(
    sender: string,
    options: { readonly genesis?: Genesis; readonly expiresAt?: number; readonly payload?: Uint8Array } = {},
  ): Uint8Array {
    const { genesis = this.genesis, expiresAt = this.height + 500, ...rest } = options;
    return poolTransaction(genesis, sender, { expiresAt, ...rest });
  }

  /** What came of each, in order. */
  async submit(...transactions: Uint8Array[]): Promise<string[]> {
    // As over the bus: what the pool answers must fit its own message.
    const { entries } = PoolEntries.decode(PoolEntries.encode(await this.pool.submit({ transactions })));
    return entries.map(outcomeOf);
  }

  /** What the pool gives for the next block, in hex. Time passes while it thinks. */
  async take(maxCount = 10_000, maxBytes = 10_000_000): Promise<string[]> {
    const taking = this.pool.take({ maxCount, maxBytes, height: this.height + 1 });
    const settled: boolean[] = [];
    const note = (): void => void settled.push(true);
    taking.then(note, note);
    for (let turn = 0; turn < 50 && settled.length === 0; turn += 1) await this.clock.advance(100);
    return (await taking).transactions.map(toHex);
  }

  async stateOf(transaction: Uint8Array): Promise<string> {
    const { entries } = await this.pool.get({ ids: [idOf(transaction)] });
    return entries[0] === undefined ? 'no answer' : outcomeOf(entries[0]);
  }

  /** What chain does when it commits: its index and its tip are in the store; the event may get lost. */
  async commit(transactions: readonly Uint8Array[], told = true): Promise<void> {
    this.height += 1;
    const writes = commitWrites(this.#tip(), transactions);
    await this.storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
    if (!told) return;
    const { height } = this;
    const { proposer, digest, time } = this.#tip();
    const body = { height, digest, transactions: transactions.map(idOf), proposer, time, tip: height, round: 0 };
    await this.context.tell(Chain.events.committed, body);
    await settle();
  }

  /** Another network takes the place of this one, as when two founders meet. */
  async changeNetwork(name: string): Promise<void> {
    this.genesis = poolGenesis(name);
    const genesis = Genesis.encode(this.genesis);
    await this.context.tell(P2p.events.founded, { genesis, founder: false, candidate: NOTHING });
    await settle();
  }

  /** Opens a session to a peer. */
  async connect(name: string): Promise<void> {
    const session = sessionOf(name);
    this.#sessions.push(name);
    await this.context.tell(Transport.events.connected, session);
    await settle();
  }

  /** Stops it and starts another one on the same store. */
  async restart(config: unknown): Promise<PoolBench> {
    await this.stop();
    return this.#next(config, this.storage);
  }

  /** Starts another one on what a power cut at this moment leaves in the store. */
  async crash(config: unknown): Promise<PoolBench> {
    const storage = this.storage.afterPowerCut();
    await this.stop();
    return this.#next(config, storage);
  }

  #next(config: unknown, storage: CrashingStorage): Promise<PoolBench> {
    const next = new PoolBench(this.#plugin, config, this, storage);
    next.genesis = this.genesis;
    return next.start();
  }

  #tip(): ChainTip {
    return poolTip(this.genesis, this.height);
  }

  #provide(): void {
    this.context.provide(Storage, this.storage);
    this.context.provide(Application, {
      ...({} as Application),
      check: ({ transactions }) =>
        Promise.resolve({
          verdicts: transactions.map(({ payload }) =>
            Buffer.from(payload).toString() === 'bad'
              ? { ok: false, code: 'ERR_ACME_REFUSED', reason: 'not this' }
              : { ok: true, code: '', reason: '' },
          ),
        }),
    });
    this.context.provide(P2p, {
      ...({} as P2p),
      network: () => Promise.resolve({ genesis: Genesis.encode(this.genesis) }),
      leader: () => {
        const { publicKey } = keysOf('founder');
        return Promise.resolve({ publicKey, nodeId: nodeIdOf(publicKey), height: this.height + 1, round: 0 });
      },
    });
    this.context.provide(Chain, {
      ...({} as Chain),
      tip: () => Promise.resolve(this.#tip()),
      locate: async ({ ids }) => {
        const keys = ids.map((id) => chainKeys.transaction(id));
        const { values } = await this.storage.read({ namespace: 'chain', keys });
        return { transactions: values.map(({ value }) => (value ? { location: Location.decode(value) } : {})) };
      },
    });
    this.context.provide(Transport, {
      ...({} as Transport),
      sessions: () => Promise.resolve({ sessions: this.#sessions.map(sessionOf) }),
      answer: () => Promise.resolve({}),
      disconnect: () => Promise.resolve({}),
      fetch: (request) => Promise.resolve(this.#receive(request)),
    });
  }

  #receive({ peer, body }: Infer<typeof FetchRequest>): { readonly body: Uint8Array } {
    const { transactions } = TransactionBatch.decode(body);
    this.given.set(peer, [...(this.given.get(peer) ?? []), ...transactions]);
    const entries = transactions.map((one) => ({ id: idOf(one), state: 'pending' as const, code: '', reason: '' }));
    return { body: PoolEntries.encode({ entries }) };
  }
}

/** The id of a peer of the bench. */
export const peerId = (name: string): string => nodeIdOf(keysOf(name).publicKey);

function sessionOf(name: string): Parameters<typeof Transport.events.connected.body.encode>[0] {
  const { publicKey } = keysOf(name);
  const hello = { genesis: NOTHING, height: 0, name, addresses: [], candidate: NOTHING, leader: NOTHING };
  return { nodeId: peerId(name), publicKey, address: '127.0.0.1:1', direction: 'inbound', since: 0, hello };
}
