import {
  Application,
  type Block,
  BlockHeader,
  Chain,
  GENESIS_DEFAULTS,
  Genesis,
  P2p,
  Storage,
  Transport,
  TxPool,
  decodeTransaction,
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
  voteSigningBytes,
  type ApplicationWrite,
  type Certificate,
  type ChainTip,
  type FetchRequest,
  type Infer,
  type KeyPair,
  type Membership,
  type Plugin,
  type Role,
  type Served,
  type Receipt,
  type SignatureCheck,
  verifySignature,
} from '@it-chain/contracts';
import { FakeContext, ManualClock, MemoryStorage, settle } from '@it-chain/testkit';
import { ChainConfig, chainPlugin } from '@it-chain/plugin-chain';

const known = new Map<string, KeyPair>();
export function keysOf(name: string): KeyPair {
  const found = known.get(name) ?? keyPairFromSeed(sha256(utf8(name)));
  known.set(name, found);
  return found;
}
/** The pair of a public key that {@link keysOf} has made. */
const keysBehind = (publicKey: Uint8Array): KeyPair => {
  const found = [...known.values()].find((pair) => toHex(pair.publicKey) === toHex(publicKey));
  if (found === undefined) throw new Error('nobody has this key');
  return found;
};

export const START = 1_700_000_000_000;

export const genesisOf = (validators: readonly string[], changes: Partial<Genesis> = {}): Genesis => ({
  ...GENESIS_DEFAULTS,
  nonce: sha256(utf8('nonce')),
  founder: keysOf(validators[0] ?? '').publicKey,
  validators: validators.map((name) => keysOf(name).publicKey),
  admission: 'open',
  window: 100,
  maxBlockBytes: 4_000,
  maxBlockTransactions: 10,
  maxTransactionBytes: 1_000,
  application: 'double/1',
  time: START,
  ...changes,
});

let nonces = 0;
export interface DraftOptions {
  readonly expiresAt?: number;
  readonly text?: string;
  readonly membership?: Membership;
}
/** A signed transaction; without a membership change it sets `text` (`key=value`) in the application. */
export function transaction(genesis: Genesis, sender: string, options: DraftOptions = {}): Uint8Array {
  const nonce = Buffer.alloc(8);
  nonce.writeUInt32BE((nonces += 1));
  const { membership, expiresAt = 50, text = 'key=value' } = options;
  const body = membership === undefined ? { application: utf8(text) } : { membership };
  return signTransaction({ network: networkOf(genesis), nonce, expiresAt, ...body }, keysOf(sender));
}

export const join = (genesis: Genesis, name: string, signer = name): Membership => {
  const { publicKey } = keysOf(name);
  const signature = signBytes(joinSigningBytes(networkOf(genesis), publicKey, name), keysOf(signer).secretKey);
  return { join: { publicKey, name, signature } };
};
export const promote = (...names: string[]): Membership => ({
  promote: { publicKeys: names.map((name) => keysOf(name).publicKey) },
});
export const leave: Membership = { leave: {} };

export const idOf = (encoded: Uint8Array): Uint8Array => decodeTransaction(encoded).id;

type StatePageAsked = Parameters<NonNullable<Application['snapshot']>>[0];
type RestoreAsked = Parameters<NonNullable<Application['restore']>>[0];

/** A state machine of `key=value` payloads that keeps everything in its keyspace of the store. */
class DoubleApplication {
  readonly #storage: MemoryStorage;
  name = 'double/1';
  /** Makes its state different from the others'. */
  salt = '';

  constructor(storage: MemoryStorage) {
    this.#storage = storage;
  }

  info(): Promise<{ name: string; emptyRoot: Uint8Array }> {
    return Promise.resolve({ name: this.name, emptyRoot: rootOf(new Map()) });
  }

  async execute({
    transactions,
    previousRoot,
  }: Parameters<Application['execute']>[0]): ReturnType<Application['execute']> {
    const state = await this.#state();
    if (toHex(rootOf(state)) !== toHex(previousRoot))
      throw new Error('the keyspace is not at the root that is asked for');
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
    const state = await this.#state();
    if (toHex(rootOf(state)) !== toHex(root)) throw new Error('the keyspace is not at the root that is asked for');
    const pairs = [...state].sort(([a], [b]) => (a < b ? -1 : 1));
    const from = Number(Buffer.from(cursor).toString() || '0');
    const page = utf8(JSON.stringify(pairs.slice(from, from + 3)));
    return from + 3 < pairs.length ? { page, next: utf8(String(from + 3)) } : { page };
  }

  async restore({ previousRoot, page }: RestoreAsked): Promise<{ root: Uint8Array; writes: ApplicationWrite[] }> {
    const state = await this.#state();
    if (toHex(rootOf(state)) !== toHex(previousRoot)) throw new Error('the pages do not follow each other');
    const pairs = JSON.parse(Buffer.from(page).toString()) as [string, string][];
    for (const [key, value] of pairs) state.set(key, value);
    return { root: rootOf(state), writes: pairs.map(([key, value]) => ({ key: utf8(key), value: utf8(value) })) };
  }

  /** Root of what is in the keyspace now. */
  async root(): Promise<Uint8Array> {
    return rootOf(await this.#state());
  }

  async #state(): Promise<Map<string, string>> {
    const { entries } = await this.#storage.range({
      namespace: 'app',
      from: new Uint8Array(0),
      limit: 100_000,
      maxBytes: 10_000_000,
      reverse: false,
    });
    return new Map(entries.map(({ key, value }) => [Buffer.from(key).toString(), Buffer.from(value).toString()]));
  }
}

const rootOf = (state: ReadonlyMap<string, string>): Uint8Array =>
  sha256(utf8(JSON.stringify([...state].sort(([a], [b]) => (a < b ? -1 : 1)))));

/** A chain on doubles: pool, store, application, network and peers are in the hands of the test. */
export class ChainFixture {
  readonly storage: MemoryStorage;
  readonly clock = new ManualClock(START + 1_000);
  readonly context: FakeContext<ChainConfig>;
  readonly application: DoubleApplication;
  readonly genesis: Genesis;
  readonly name: string;
  /** What the pool offers, and what it says it has verified. */
  pooled: Uint8Array[] = [];
  founded = true;
  verified = 0;
  readonly answered: { readonly requestId: string; readonly body: Uint8Array; readonly errorCode: string }[] = [];
  /** What peers answer. */
  peer: (request: Infer<typeof FetchRequest>) => Promise<Uint8Array> = () => Promise.reject(new Error('no peer'));
  readonly #config: object;

  constructor(name: string, genesis: Genesis, storage = new MemoryStorage(), config: object = {}) {
    this.name = name;
    this.genesis = genesis;
    this.storage = storage;
    this.#config = config;
    this.application = new DoubleApplication(storage);
    keysOf(name);
    this.context = new FakeContext({ config: ChainConfig.parse(config), clock: this.clock, seed: name });
    this.context.verify = (checks: readonly SignatureCheck[]) => {
      this.verified += checks.length;
      return Promise.resolve(checks.map((check) => verifySignature(check.publicKey, check.message, check.signature)));
    };
    this.context.provide(Storage, storage);
    this.context.provide(Application, this.application as unknown as Application);
    this.context.provide(TxPool, {
      take: () => Promise.resolve({ transactions: this.pooled }),
      have: ({ ids }: { ids: readonly Uint8Array[] }) => {
        const held = new Map(this.pooled.map((encoded) => [toHex(idOf(encoded)), encoded]));
        return Promise.resolve({ transactions: ids.map((id) => held.get(toHex(id)) ?? new Uint8Array(0)) });
      },
    } as unknown as TxPool);
    this.context.provide(P2p, {
      network: () => Promise.resolve({ genesis: this.founded ? Genesis.encode(this.genesis) : undefined }),
    } as unknown as P2p);
    this.context.provide(Transport, {
      fetch: async (request: Infer<typeof FetchRequest>) => ({ body: await this.peer(request) }),
      answer: (request: { requestId: string; body: Uint8Array; errorCode: string }) => {
        this.answered.push(request);
        return Promise.resolve({});
      },
    } as unknown as Transport);
  }

  /** Starts as p2p would have it: the genesis is in the store before anybody hears of it. */
  async start(): Promise<this> {
    await this.#storeGenesis();
    const running = await this.context.setup(chainPlugin as unknown as Plugin);
    await running.start();
    await settle();
    return this;
  }

  /** A new process on the same store. */
  async restart(): Promise<ChainFixture> {
    const next = new ChainFixture(this.name, this.genesis, this.storage, this.#config);
    await next.clock.advance(this.clock.now() - next.clock.now());
    return next.start();
  }

  get chain(): Chain {
    return overTheWire(Chain, this.context.servedRole(Chain));
  }

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
    const certificate = certify(tip, digest);
    await this.commit(tip.height + 1, digest, certificate);
    this.pooled = [];
    return { block, digest, certificate };
  }

  commit(height: number, digest: Uint8Array, certificate: Certificate, block?: Block): Promise<ChainTip> {
    return this.chain.commit({ height, digest, certificate, block, clearLogBelow: height, sync: true });
  }

  async reason(block: Block, fresh = false): Promise<string> {
    const { valid, reason } = await this.chain.check({ block, fresh });
    return valid ? '' : reason;
  }

  async #storeGenesis(): Promise<void> {
    if (!this.founded) return;
    const value = Genesis.encode(this.genesis);
    await this.storage.write({
      writes: [{ namespace: 'p2p', key: p2pKeys.genesis, value }],
      when: [],
      sync: true,
      writer: '',
      sequence: 0,
    });
  }
}

/** The certificate of all validators of the height after `tip`. */
export function certify(tip: ChainTip, digest: Uint8Array, round = 0): Certificate {
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

export const digestOf = (block: Block, genesis: Genesis): Uint8Array => headerDigest(block.header, networkOf(genesis));

/** Everything in the chain's keyspaces, as text, to compare before and after. */
export async function contents(storage: MemoryStorage): Promise<string[]> {
  const lines: string[] = [];
  for (const namespace of ['chain', 'app', 'wal'] as const) {
    const { entries } = await storage.range({
      namespace,
      from: new Uint8Array(0),
      limit: 1_000_000,
      maxBytes: 1_000_000_000,
      reverse: false,
    });
    for (const { key, value } of entries) lines.push(`${namespace} ${toHex(key)} ${toHex(value)}`);
  }
  return lines;
}

/** A role as its users reach it: every request and answer goes through its codec. */
export function overTheWire<R extends Role>(role: R, provider: Served<R>): Served<R> {
  const methods = provider as unknown as Record<string, (request: unknown, call: object) => Promise<unknown>>;
  const calls = Object.entries(role.calls).map(([method, call]) => [
    method,
    async (request: unknown) =>
      call.out.decode(call.out.encode(await methods[method]!(call.in.decode(call.in.encode(request)), {}))) as unknown,
  ]);
  return Object.fromEntries(calls) as Served<R>;
}
