import {
  Chain,
  Consensus,
  GENESIS_DEFAULTS,
  Genesis,
  Identity,
  P2p,
  Storage,
  Transport,
  TxPool,
  failure,
  genesisValidators,
  networkOf,
  quorumOf,
  sha256,
  signBytes,
  toHex,
  utf8,
  voteSigningBytes,
  type CertifiedBlock,
  type Plugin,
  type ValidatorSet,
  type VoteContent,
} from '@it-chain/contracts';
import { FakeContext, type StartedByHand } from './fake-context.js';
import { ManualClock, settle } from './manual-clock.js';
import { MemoryChain } from './memory-chain.js';
import { MemoryStorage } from './memory-storage.js';

/** A running plugin on doubles of all roles, with real signatures, a real guard and a manual clock. */
export interface ConsensusClusterNode<Config = unknown> {
  readonly name: string;
  context: FakeContext<Config>;
  readonly storage: MemoryStorage;
  readonly chain: MemoryChain;
  readonly guard: Map<string, string>;
  /** Votes that it wanted signed although its guard has another one: `height/round/type`. */
  readonly contradictions: string[];
  readonly pool: Map<string, Uint8Array>;
  /** When a transaction came into the pool, in ms since the epoch. */
  readonly arrived: Map<string, number>;
  readonly submitted: Uint8Array[];
  readonly banned: string[];
  running: StartedByHand | undefined;
}

/** How a {@link ConsensusCluster} differs from its defaults. */
export interface ConsensusClusterOptions {
  /** The first so many nodes are validators of the genesis. */
  readonly validators?: number;
  readonly growth?: Genesis['growth'];
  readonly leaderTerm?: number;
  /** Seals that make a certificate among `n` validators. */
  readonly quorum?: (n: number) => number;
  /** Names of nodes that run a second time with the same key, as `NAME'`, behind the others: liars by two tongues. */
  readonly twins?: readonly string[];
}

/** Several nodes of a consensus plugin, each on doubles of all roles, joined by a transport that can be cut. */
export class ConsensusCluster<Config = unknown> {
  readonly clock = new ManualClock();
  readonly nodes: ConsensusClusterNode<Config>[] = [];
  readonly genesis: Genesis;
  readonly network: Uint8Array;
  readonly cut = new Set<string>();
  /** Ids of nodes that never answer who asks them for blocks. */
  readonly withholding = new Set<string>();
  /** Called for every message on its way; false drops it. */
  filter: (from: ConsensusClusterNode<Config>, to: ConsensusClusterNode<Config>, body: Uint8Array) => boolean = () =>
    true;
  /** What arrives of a message that was sent: nothing, something else, more than that. */
  tamper: (
    from: ConsensusClusterNode<Config>,
    to: ConsensusClusterNode<Config>,
    body: Uint8Array,
  ) => readonly Uint8Array[] = (_from, _to, body) => [body];
  /** Whether the node belongs to a network. */
  founded = true;
  /** Whether p2p serves already. */
  p2pServes = true;

  readonly #plugin: Plugin;
  readonly #config: Config;
  readonly #quorum: (n: number) => number;

  /** @param options everything has a default: all nodes are validators, growth `skip-two`, the quorum of QBFT */
  constructor(plugin: Plugin, config: Config, names: readonly string[], options: ConsensusClusterOptions = {}) {
    this.#plugin = plugin;
    this.#config = config;
    this.#quorum = options.quorum ?? quorumOf;
    const keys = names.map((name) => new FakeContext({ config, seed: name }).keys.publicKey);
    const [founder] = keys;
    if (founder === undefined) throw new Error('a cluster has nodes');
    this.genesis = {
      ...GENESIS_DEFAULTS,
      growth: options.growth ?? 'skip-two',
      leaderTerm: options.leaderTerm ?? 0,
      nonce: sha256(utf8('cluster')),
      founder,
      validators: keys.slice(0, options.validators ?? names.length),
      admission: 'open',
      application: 'kv/1',
      time: this.clock.now() - 1_000,
    };
    this.network = networkOf(this.genesis);
    for (const name of names) this.nodes.push(this.#make(name, name));
    for (const name of options.twins ?? []) this.nodes.push(this.#make(`${name}'`, name));
  }

  /** The node of an index. */
  node(index: number): ConsensusClusterNode<Config> {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`no node ${index}`);
    return node;
  }

  get set(): ValidatorSet {
    return genesisValidators(this.genesis);
  }

  /** Starts these nodes, all without arguments. */
  async start(...indices: number[]): Promise<void> {
    for (const index of indices.length === 0 ? this.nodes.keys() : indices) {
      const node = this.node(index);
      node.context = this.#context(node);
      node.running = await node.context.setup(this.#plugin);
      await node.running.start();
      for (const other of this.nodes)
        if (idOf(other) !== idOf(node) && other.running !== undefined) await this.#connect(other, node);
    }
    await settle(20);
  }

  /** Stops a node; what it stored stays. */
  async stop(index: number): Promise<void> {
    const node = this.node(index);
    await node.running?.stop();
    node.running = undefined;
    for (const other of this.nodes) {
      if (other === node || other.running === undefined) continue;
      await other.context.tell(Transport.events.disconnected, { nodeId: idOf(node), code: '', reason: '' });
    }
  }

  /** Puts a transaction into the pools of these nodes, all when none is named. */
  async submit(text: string, ...indices: number[]): Promise<void> {
    const transaction = utf8(text);
    for (const index of indices.length === 0 ? this.nodes.keys() : indices) {
      const node = this.node(index);
      node.pool.set(toHex(transaction), transaction);
      node.arrived.set(toHex(transaction), this.clock.now());
      if (node.running !== undefined) await node.context.tell(TxPool.events.accepted, { ids: [sha256(transaction)] });
    }
    await settle(20);
  }

  /** Lets time pass until `done`, in small steps, at most `ms`. */
  async until(done: () => boolean, ms = 60_000): Promise<boolean> {
    for (let passed = 0; passed < ms && !done(); passed += 50) await this.clock.advance(50);
    return done();
  }

  /** `consensus.status` of a node. */
  status(
    index: number,
  ): Promise<{ waiting: string; round: number; height: number; leader: Uint8Array; validator: boolean }> {
    return this.node(index).context.servedRole(Consensus).status({});
  }

  #make(name: string, seed: string): ConsensusClusterNode<Config> {
    const storage = new MemoryStorage();
    const pool = new Map<string, Uint8Array>();
    const context = new FakeContext({ config: this.#config, seed, clock: this.clock });
    const chain = new MemoryChain(
      this.network,
      this.genesis,
      context.keys.publicKey,
      pool,
      storage,
      this.clock,
      this.#quorum,
    );
    const lists = { guard: new Map<string, string>(), arrived: new Map<string, number>(), contradictions: [] };
    return { name, context, storage, chain, pool, ...lists, submitted: [], banned: [], running: undefined };
  }

  #context(node: ConsensusClusterNode<Config>): FakeContext<Config> {
    const context = new FakeContext({ config: this.#config, seed: node.context.identity.name, clock: this.clock });
    const { chain } = node;
    const unfounded = (): Error => failure('ERR_NETWORK_UNFOUNDED', 'no network yet');
    context.provide(Storage, node.storage);
    context.provide(Chain, {
      ...({} as Chain),
      build: ({ height }) => attempt(() => chain.build(height)),
      check: ({ block }) => attempt(() => chain.check(block)),
      commit: async ({ height, digest, certificate, block, clearLogBelow, sync }) => {
        if (!sync) chain.unsynced += 1;
        const tip = await chain.commit(height, digest, certificate, block, clearLogBelow);
        const told = {
          height,
          digest,
          transactions: [],
          proposer: new Uint8Array(32),
          time: 0,
          tip: tip.height,
          round: 0,
        };
        void context.tell(Chain.events.committed, told);
        return tip;
      },
      tip: () => (this.founded ? Promise.resolve(chain.tip) : Promise.reject(unfounded())),
      get: ({ height }) =>
        Promise.resolve({ block: chain.blocks[height - 1], digest: chain.tips[height]?.digest ?? new Uint8Array(0) }),
      range: ({ from, maxCount }) =>
        Promise.resolve({ blocks: chain.blocks.slice(from - 1, from - 1 + (maxCount || 500)) }),
      fetch: ({ from, to, peers }) =>
        peers.some((peer) => this.withholding.has(peer))
          ? new Promise(() => undefined)
          : Promise.resolve(this.#fetch(node, from, to, peers)),
      validators: ({ height }) => {
        const validators = chain.tips[height - 1]?.validators ?? this.set;
        return Promise.resolve({ height, validators, quorum: this.#quorum(validators.validators.length) });
      },
    });
    context.provide(TxPool, {
      ...({} as TxPool),
      status: () => {
        const [first] = node.pool.keys();
        const oldest = first === undefined ? 0 : (node.arrived.get(first) ?? 0);
        return Promise.resolve({ count: node.pool.size, bytes: 0, maxCount: 0, maxBytes: 0, oldest, full: false });
      },
      submit: ({ transactions }) => {
        node.submitted.push(...transactions);
        return Promise.resolve({
          entries: transactions.map((one) => ({ id: sha256(one), state: 'pending' as const, code: '', reason: '' })),
        });
      },
    });
    context.provide(P2p, {
      ...({} as P2p),
      network: () =>
        this.p2pServes
          ? Promise.resolve(this.founded ? { genesis: Genesis.encode(this.genesis) } : {})
          : Promise.reject(failure('ERR_BUS_NO_PROVIDER', 'nobody serves network.get.v1')),
      found: () => {
        this.founded = true;
        return Promise.resolve({ genesis: Genesis.encode(this.genesis) });
      },
    });
    context.provide(Identity, {
      ...({} as Identity),
      signVote: ({ network, vote }) => attempt(() => ({ signature: signGuarded(node, context, network, vote) })),
    });
    context.provide(Transport, this.#transport(node));
    return context;
  }

  #transport(node: ConsensusClusterNode<Config>): Transport {
    return {
      ...({} as Transport),
      sessions: () => {
        // A node and its twin are one peer.
        const byId = new Map(this.#others(node).map((other) => [idOf(other), sessionOf(other)]));
        return Promise.resolve({ sessions: [...byId.values()] });
      },
      disconnect: ({ nodeId }) => {
        node.banned.push(nodeId);
        return Promise.resolve({});
      },
      deliver: ({ peers, kind, body }) => {
        const targets = this.#others(node).filter(
          (other) => peers.includes(idOf(other)) && this.filter(node, other, body),
        );
        for (const target of targets) {
          const { publicKey } = node.context.identity;
          const arriving = this.tamper(node, target, body);
          this.clock.after(1, () => {
            for (const one of target.running === undefined ? [] : arriving) {
              void target.context.tell(Transport.events.received, { from: idOf(node), publicKey, kind, body: one });
            }
          });
        }
        return Promise.resolve({ peers: targets.length });
      },
    };
  }

  #others(node: ConsensusClusterNode<Config>): ConsensusClusterNode<Config>[] {
    return this.nodes.filter(
      (other) =>
        idOf(other) !== idOf(node) && other.running !== undefined && !this.cut.has(`${node.name}>${other.name}`),
    );
  }

  #fetch(
    node: ConsensusClusterNode<Config>,
    from: number,
    to: number,
    peers: readonly string[],
  ): { blocks: CertifiedBlock[]; sources: string[] } {
    const source = this.#others(node).find((other) => peers.includes(idOf(other)));
    const blocks = source?.chain.blocks.slice(from - 1, to) ?? [];
    return { blocks, sources: blocks.map(() => (source === undefined ? '' : idOf(source))) };
  }

  async #connect(a: ConsensusClusterNode<Config>, b: ConsensusClusterNode<Config>): Promise<void> {
    await a.context.tell(Transport.events.connected, sessionOf(b));
    await b.context.tell(Transport.events.connected, sessionOf(a));
  }
}

const idOf = (node: { readonly context: Pick<FakeContext, 'identity'> }): string => node.context.identity.nodeId;

function attempt<T>(run: () => T): Promise<T> {
  return new Promise((resolve) => {
    resolve(run());
  });
}

/** A guard as promise I4 has it: one digest for one height, round and type, for ever. */
function signGuarded(
  node: Pick<ConsensusClusterNode, 'guard' | 'contradictions'>,
  context: Pick<FakeContext, 'keys'>,
  network: Uint8Array,
  vote: VoteContent,
): Uint8Array {
  const slot = `${vote.height}/${vote.round}/${vote.type}`;
  const digest = toHex(vote.digest);
  const before = node.guard.get(slot);
  if (before !== undefined && before !== digest) {
    node.contradictions.push(slot);
    throw failure('ERR_IDENTITY_DOUBLE_SIGN', slot);
  }
  node.guard.set(slot, digest);
  return signBytes(voteSigningBytes(network, vote), context.keys.secretKey);
}

function sessionOf(node: {
  readonly context: Pick<FakeContext, 'identity'>;
}): Parameters<typeof Transport.events.connected.body.encode>[0] {
  const { nodeId, publicKey, name } = node.context.identity;
  const hello = {
    height: 0,
    name,
    addresses: [],
    genesis: new Uint8Array(0),
    candidate: new Uint8Array(0),
    leader: new Uint8Array(0),
  };
  return { nodeId, publicKey, address: '127.0.0.1:7000', direction: 'inbound', since: 1, hello };
}
