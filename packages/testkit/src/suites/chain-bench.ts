import {
  Application,
  BlockHeader,
  Chain,
  GENESIS_DEFAULTS,
  Genesis,
  P2p,
  Storage,
  Transport,
  TxPool,
  decodeTransaction,
  failure,
  headerDigest,
  joinSigningBytes,
  keyPairFromSeed,
  networkOf,
  p2pKeys,
  sha256,
  signBytes,
  signTransaction,
  toHex,
  utf8,
  verifySignature,
  voteSigningBytes,
  type Block,
  type Certificate,
  type ChainTip,
  type FetchRequest,
  type Infer,
  type KeyPair,
  type Membership,
  type Plugin,
  type SignatureCheck,
} from '@it-chain/contracts';
import { CrashingStorage } from '../doubles/crashing-storage.js';
import { FakeContext } from '../doubles/fake-context.js';
import { ManualClock, settle } from '../doubles/manual-clock.js';
import type { MemoryStorage } from '../doubles/memory-storage.js';
import { overTheWire } from '../doubles/over-the-wire.js';
import { PairsApplication } from '../doubles/pairs-application.js';

const known = new Map<string, KeyPair>();

/** The key pair of a name, the same as that of a `FakeContext` with this seed. */
export function benchKeys(name: string): KeyPair {
  const found = known.get(name) ?? keyPairFromSeed(sha256(utf8(name)));
  known.set(name, found);
  return found;
}

/** The pair of a public key that {@link benchKeys} has made. */
function keysBehind(publicKey: Uint8Array): KeyPair {
  const found = [...known.values()].find((pair) => toHex(pair.publicKey) === toHex(publicKey));
  if (found === undefined) throw new Error('nobody has this key');
  return found;
}

/** When the chains of the bench begin, in ms since the epoch. */
export const CHAIN_START = 1_700_000_000_000;

/** A genesis with small limits, so that all of them can be reached. */
export const chainGenesis = (validators: readonly string[], changes: Partial<Genesis> = {}): Genesis => ({
  ...GENESIS_DEFAULTS,
  nonce: sha256(utf8('nonce')),
  founder: benchKeys(validators[0] ?? '').publicKey,
  validators: validators.map((name) => benchKeys(name).publicKey),
  admission: 'open',
  window: 100,
  maxBlockBytes: 4_000,
  maxBlockTransactions: 10,
  maxTransactionBytes: 1_000,
  application: 'pairs/1',
  time: CHAIN_START,
  ...changes,
});

/** What is in a transaction of the bench. */
export interface BenchTransaction {
  /** The last height that may hold it. Default 50. */
  readonly expiresAt?: number;
  /** `key=value`, for the application. */
  readonly text?: string;
  /** A change of members instead. */
  readonly membership?: Membership;
}

const NO_HELLO = {
  genesis: new Uint8Array(0),
  height: 0,
  name: '',
  addresses: [],
  candidate: new Uint8Array(0),
  leader: new Uint8Array(0),
};

let nonces = 0;

/** A signed transaction; without a membership change it sets `text` in the application. */
export function benchTransaction(genesis: Genesis, sender: string, options: BenchTransaction = {}): Uint8Array {
  const nonce = Buffer.alloc(8);
  nonce.writeUInt32BE((nonces += 1));
  const { membership, expiresAt = 50, text = 'key=value' } = options;
  const body = membership === undefined ? { application: utf8(text) } : { membership };
  return signTransaction({ network: networkOf(genesis), nonce, expiresAt, ...body }, benchKeys(sender));
}

/** A join that its subject, or somebody else, has signed. */
export function benchJoin(genesis: Genesis, name: string, signer = name): Membership {
  const { publicKey } = benchKeys(name);
  const signature = signBytes(joinSigningBytes(networkOf(genesis), publicKey, name), benchKeys(signer).secretKey);
  return { join: { publicKey, name, signature } };
}

/** The certificate of all validators of the height after `tip`. */
export function certifyBlock(tip: ChainTip, digest: Uint8Array, round = 0): Certificate {
  const height = tip.height + 1;
  const message = voteSigningBytes(tip.network, { type: 'commit', height, round, digest });
  const seals = tip.validators.validators.map(({ publicKey }, validator) => ({
    validator,
    signature: signBytes(message, keysBehind(publicKey).secretKey),
  }));
  return { height, round, digest, seals };
}

/** A block with other fields in its header. */
export function withHeader(block: Block, changes: Partial<BlockHeader>): Block {
  return { ...block, header: BlockHeader.encode({ ...BlockHeader.decode(block.header), ...changes }) };
}

/** A chain plugin on doubles: pool, store, application, network and peers are in the hands of the test. */
export class ChainBench {
  readonly clock = new ManualClock(CHAIN_START + 1_000);
  readonly context: FakeContext;
  readonly application: PairsApplication;
  readonly genesis: Genesis;
  readonly name: string;
  readonly storage: CrashingStorage;
  /** What the pool offers, and what it says it has verified. */
  pooled: Uint8Array[] = [];
  founded = true;
  /** Signatures that were verified. */
  verified = 0;
  readonly answered: { readonly requestId: string; readonly body: Uint8Array; readonly errorCode: string }[] = [];
  /** Node ids of the peers that are connected. */
  sessions: readonly string[] = [];
  /** What peers answer. */
  peer: (request: Infer<typeof FetchRequest>) => Promise<Uint8Array> = () =>
    Promise.reject(failure('ERR_PEER_NOT_CONNECTED', 'no peer'));
  readonly #plugin: Plugin;
  readonly #config: unknown;
  #running: { start(): Promise<void>; stop(): Promise<void> } | undefined;

  constructor(plugin: Plugin, name: string, genesis: Genesis, storage = new CrashingStorage(), config?: unknown) {
    this.#plugin = plugin;
    this.name = name;
    this.genesis = genesis;
    this.storage = storage;
    this.#config = config;
    this.application = new PairsApplication(storage);
    benchKeys(name);
    this.context = new FakeContext({ config: plugin.config?.parse(config ?? {}), clock: this.clock, seed: name });
    this.context.verify = (checks: readonly SignatureCheck[]) => {
      this.verified += checks.length;
      return Promise.resolve(checks.map((check) => verifySignature(check.publicKey, check.message, check.signature)));
    };
    this.#provide();
  }

  /** Starts as p2p would have it: the genesis is in the store before anybody hears of it. */
  async start(): Promise<this> {
    if (this.founded) await this.#storeGenesis();
    this.#running = await this.context.setup(this.#plugin);
    await this.#running.start();
    await settle();
    return this;
  }

  /** Stops the chain and closes its bus. */
  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = undefined;
  }

  /** The node belongs to the network from now on, as p2p tells it. */
  async found(): Promise<void> {
    this.founded = true;
    await this.#storeGenesis();
    const genesis = Genesis.encode(this.genesis);
    await this.context.tell(P2p.events.founded, { genesis, founder: false, candidate: new Uint8Array(0) });
    await settle();
  }

  /** A new process on the same store. */
  restart(): Promise<ChainBench> {
    return this.#next(this.storage);
  }

  /** A new process on what a power cut at this moment leaves in the store. */
  crash(): Promise<ChainBench> {
    return this.#next(this.storage.afterPowerCut());
  }

  /** What it serves. */
  get chain(): Chain {
    return overTheWire(Chain, this.context.servedRole(Chain));
  }

  /** The call `chain.tip`. */
  tip(): Promise<ChainTip> {
    return this.chain.tip({});
  }

  /** Builds, certifies and commits the next block here. */
  async advance(
    ...transactions: Uint8Array[]
  ): Promise<{ block: Block; digest: Uint8Array; certificate: Certificate }> {
    this.pooled = transactions;
    const tip = await this.tip();
    const { block, digest } = await this.chain.build({ height: tip.height + 1 });
    const certificate = certifyBlock(tip, digest);
    await this.commit(tip.height + 1, digest, certificate);
    this.pooled = [];
    return { block, digest, certificate };
  }

  /** The call `block.commit`. */
  commit(height: number, digest: Uint8Array, certificate: Certificate, block?: Block): Promise<ChainTip> {
    return this.chain.commit({ height, digest, certificate, block, clearLogBelow: height, sync: true });
  }

  /** The rule that a block breaks, or nothing. */
  async reason(block: Block, fresh = false): Promise<string> {
    const { valid, reason } = await this.chain.check({ block, fresh });
    return valid ? '' : reason;
  }

  /** SHA-256 of the header of a block, 32 bytes. */
  digestOf(block: Block): Uint8Array {
    return headerDigest(block.header, networkOf(this.genesis));
  }

  /** Everything in the keyspaces that the chain writes, as text, to compare before and after. */
  contents(): Promise<string[]> {
    return ChainBench.contentsOf(this.storage);
  }

  /** The same of any store. */
  static async contentsOf(storage: MemoryStorage): Promise<string[]> {
    const lines: string[] = [];
    const all = { from: new Uint8Array(0), limit: 1_000_000, maxBytes: 1_000_000_000, reverse: false };
    for (const namespace of ['chain', 'app', 'wal'] as const) {
      const { entries } = await storage.range({ namespace, ...all });
      for (const { key, value } of entries) lines.push(`${namespace} ${toHex(key)} ${toHex(value)}`);
    }
    return lines;
  }

  /** A request of a peer. @returns what it is answered, or undefined where it is not */
  async ask(
    from: string,
    kind: string,
    body: Uint8Array,
  ): Promise<{ readonly body: Uint8Array; readonly errorCode: string } | undefined> {
    const requestId = `${from}-${this.answered.length}`;
    const { publicKey } = benchKeys(from);
    await this.context.tell(Transport.events.asked, { from, publicKey, requestId, kind, body });
    await settle();
    return this.answered.find((one) => one.requestId === requestId);
  }

  async #next(storage: CrashingStorage): Promise<ChainBench> {
    await this.stop();
    const next = new ChainBench(this.#plugin, this.name, this.genesis, storage, this.#config);
    await next.clock.advance(this.clock.now() - next.clock.now());
    return next.start();
  }

  async #storeGenesis(): Promise<void> {
    const value = Genesis.encode(this.genesis);
    const writes = [{ namespace: 'p2p' as const, key: p2pKeys.genesis, value }];
    await this.storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
  }

  #provide(): void {
    this.context.provide(Storage, this.storage);
    this.context.provide(Application, this.application);
    this.context.provide(TxPool, {
      ...({} as TxPool),
      take: () => Promise.resolve({ transactions: this.pooled }),
      have: ({ ids }) => {
        const held = new Map(this.pooled.map((encoded) => [toHex(decodeTransaction(encoded).id), encoded]));
        return Promise.resolve({ transactions: ids.map((id) => held.get(toHex(id)) ?? new Uint8Array(0)) });
      },
    });
    this.context.provide(P2p, {
      ...({} as P2p),
      network: () => Promise.resolve({ genesis: this.founded ? Genesis.encode(this.genesis) : undefined }),
    });
    this.context.provide(Transport, {
      ...({} as Transport),
      sessions: () =>
        Promise.resolve({
          sessions: this.sessions.map((name) => ({
            nodeId: name,
            publicKey: benchKeys(name).publicKey,
            address: '',
            direction: 'inbound' as const,
            since: 0,
            hello: NO_HELLO,
          })),
        }),
      fetch: async (request) => ({ body: await this.peer(request) }),
      answer: (request) => {
        this.answered.push(request);
        return Promise.resolve({});
      },
    });
  }
}
