import {
  Block,
  BlockHeader,
  Certificate,
  Chain,
  Consensus,
  Genesis,
  Identity,
  P2p,
  Storage,
  Transport,
  TxPool,
  concatBytes,
  failure,
  genesisValidators,
  hasCode,
  headerDigest,
  heightKey,
  merkleRoot,
  networkOf,
  quorumOf,
  sameBytes,
  sha256,
  signBytes,
  toHex,
  utf8,
  validatorSetHash,
  voteSigningBytes,
  GENESIS_DEFAULTS,
  type CertifiedBlock,
  type ChainTip,
  type ValidatorSet,
  type VoteContent,
} from '@it-chain/contracts';
import { FakeContext, ManualClock, MemoryStorage, settle } from '@it-chain/testkit';
import { ConsensusConfig, consensusPlugin } from '@it-chain/plugin-consensus';

/** A running plugin on doubles of all roles, with real signatures, a real guard and a manual clock. */
export interface ClusterNode {
  readonly name: string;
  context: FakeContext<ConsensusConfig>;
  readonly storage: MemoryStorage;
  readonly chain: MemoryChain;
  readonly guard: Map<string, string>;
  readonly pool: Map<string, Uint8Array>;
  readonly submitted: Uint8Array[];
  readonly banned: string[];
  running: { start(): Promise<void>; stop(): Promise<void> } | undefined;
}

/** A chain that keeps the rules consensus relies on and executes nothing. */
export class MemoryChain {
  readonly blocks: CertifiedBlock[] = [];
  readonly tips: ChainTip[];
  commits = 0;
  readonly #bodies = new Map<string, Block>();

  constructor(
    readonly network: Uint8Array,
    genesis: Genesis,
    readonly self: Uint8Array,
    readonly pool: Map<string, Uint8Array>,
    readonly storage: MemoryStorage,
    readonly clock: ManualClock,
  ) {
    const set = genesisValidators(genesis);
    this.tips = [
      {
        network,
        height: 0,
        digest: network,
        stateRoot: new Uint8Array(32),
        rootCertified: true,
        time: genesis.time,
        proposer: genesis.founder,
        proposerSequence: 0,
        validators: set,
        nextValidators: set,
        learners: [],
        systemRoot: new Uint8Array(32),
        applicationRoot: new Uint8Array(32),
      },
    ];
  }

  get tip(): ChainTip {
    const tip = this.tips.at(-1);
    if (tip === undefined) throw new Error('no tip');
    return tip;
  }

  build(height: number): { block: Block; digest: Uint8Array } {
    const { tip } = this;
    if (height !== tip.height + 1) throw failure('ERR_BLOCK_INVALID', 'not the next height');
    const transactions = [...this.pool.values()];
    const sequence = tip.validators.validators.find(({ publicKey }) => sameBytes(publicKey, this.self))?.sequence ?? 0;
    const header = BlockHeader.encode({
      version: 1,
      network: this.network,
      height,
      previous: tip.digest,
      proposer: this.self,
      proposerSequence: sequence,
      time: Math.max(this.clock.now(), tip.time + 1),
      transactionRoot: merkleRoot(transactions),
      transactionCount: transactions.length,
      previousStateRoot: tip.stateRoot,
      validators: validatorSetHash(tip.validators),
      nextValidators: validatorSetHash(tip.nextValidators),
    });
    const block = { header, transactions };
    const digest = headerDigest(header, this.network);
    this.#bodies.set(toHex(digest), block);
    return { block, digest };
  }

  check(block: Block): { valid: boolean; digest: Uint8Array; reason: string } {
    const digest = headerDigest(block.header, this.network);
    const header = BlockHeader.decode(block.header);
    const valid = sameBytes(header.transactionRoot, merkleRoot(block.transactions));
    if (valid) this.#bodies.set(toHex(digest), block);
    return { valid, digest, reason: valid ? '' : 'the transactions are not those of the header' };
  }

  async commit(
    height: number,
    digest: Uint8Array,
    certificate: Certificate,
    given?: Block,
    clearLogBelow = 0,
  ): Promise<ChainTip> {
    const { tip } = this;
    if (height <= tip.height) return tip;
    const block = given ?? this.#bodies.get(toHex(digest));
    if (block === undefined) throw failure('ERR_BLOCK_NOT_FOUND', 'no body');
    const header = BlockHeader.decode(block.header);
    if (!sameBytes(header.previous, tip.digest) || !this.check(block).valid)
      throw failure('ERR_BLOCK_INVALID', 'wrong body');
    if (certificate.seals.length < quorumOf(tip.validators.validators.length))
      throw failure('ERR_BLOCK_INVALID', 'too few seals');
    this.commits += 1;
    for (const transaction of block.transactions) this.pool.delete(toHex(transaction));
    this.blocks.push({ block: Block.encode(block), certificate: Certificate.encode(certificate) });
    const changes = block.transactions.length > 0;
    this.tips.push({
      ...tip,
      height,
      digest,
      stateRoot: changes ? sha256(concatBytes(tip.stateRoot, ...block.transactions)) : tip.stateRoot,
      rootCertified: !changes,
      time: header.time,
      proposer: header.proposer,
      proposerSequence: header.proposerSequence,
      validators: tip.nextValidators,
    });
    const dead = await this.storage.range({
      namespace: 'wal',
      from: new Uint8Array(0),
      to: heightKey(clearLogBelow),
      limit: 0,
      maxBytes: 0,
      reverse: false,
    });
    const writes = dead.entries.map(({ key }) => ({ namespace: 'wal' as const, key }));
    await this.storage.write({ writes, when: [], sync: true, writer: '', sequence: 0 });
    return this.tip;
  }
}

/** Several plugins, joined by a transport that can be cut. */
export class Cluster {
  readonly clock = new ManualClock();
  readonly nodes: ClusterNode[] = [];
  readonly genesis: Genesis;
  readonly network: Uint8Array;
  readonly cut = new Set<string>();
  /** Called for every message on its way; false drops it. */
  filter: (from: ClusterNode, to: ClusterNode, body: Uint8Array) => boolean = () => true;
  founded = true;

  constructor(
    names: readonly string[],
    readonly config: Record<string, unknown> = {},
    validators = names.length,
    growth: Genesis['growth'] = 'skip-two',
  ) {
    const keys = names.map((name) => new FakeContext({ config: ConsensusConfig.parse({}), seed: name }).keys.publicKey);
    const [founder] = keys;
    if (founder === undefined) throw new Error('a cluster has nodes');
    this.genesis = {
      ...GENESIS_DEFAULTS,
      growth,
      nonce: sha256(utf8('cluster')),
      founder,
      validators: keys.slice(0, validators),
      admission: 'open',
      application: 'kv/1',
      time: this.clock.now() - 1_000,
    };
    this.network = networkOf(this.genesis);
    for (const name of names) this.nodes.push(this.#make(name));
  }

  node(index: number): ClusterNode {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`no node ${index}`);
    return node;
  }

  get set(): ValidatorSet {
    return genesisValidators(this.genesis);
  }

  async start(...indices: number[]): Promise<void> {
    for (const index of indices.length === 0 ? this.nodes.keys() : indices) {
      const node = this.node(index);
      node.context = this.#context(node);
      node.running = await node.context.setup(consensusPlugin);
      await node.running.start();
      for (const other of this.nodes)
        if (other !== node && other.running !== undefined) await this.#connect(other, node);
    }
    await settle(20);
  }

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
      if (node.running !== undefined) await node.context.tell(TxPool.events.accepted, { ids: [sha256(transaction)] });
    }
    await settle(20);
  }

  /** Lets time pass until `done`, in small steps, at most `ms`. */
  async until(done: () => boolean, ms = 60_000): Promise<boolean> {
    for (let passed = 0; passed < ms && !done(); passed += 50) await this.clock.advance(50);
    return done();
  }

  status(
    index: number,
  ): Promise<{ waiting: string; round: number; height: number; leader: Uint8Array; validator: boolean }> {
    return this.node(index).context.servedRole(Consensus).status({});
  }

  #make(name: string): ClusterNode {
    const storage = new MemoryStorage();
    const pool = new Map<string, Uint8Array>();
    const context = new FakeContext({ config: ConsensusConfig.parse(this.config), seed: name, clock: this.clock });
    const chain = new MemoryChain(this.network, this.genesis, context.keys.publicKey, pool, storage, this.clock);
    return { name, context, storage, chain, pool, guard: new Map(), submitted: [], banned: [], running: undefined };
  }

  #context(node: ClusterNode): FakeContext<ConsensusConfig> {
    const context = new FakeContext({ config: ConsensusConfig.parse(this.config), seed: node.name, clock: this.clock });
    const { chain } = node;
    const unfounded = (): Error => failure('ERR_NETWORK_UNFOUNDED', 'no network yet');
    context.provide(Storage, node.storage);
    context.provide(Chain, {
      ...({} as Chain),
      build: ({ height }) => attempt(() => chain.build(height)),
      check: ({ block }) => attempt(() => chain.check(block)),
      commit: ({ height, digest, certificate, block, clearLogBelow }) =>
        chain.commit(height, digest, certificate, block, clearLogBelow),
      tip: () => (this.founded ? Promise.resolve(chain.tip) : Promise.reject(unfounded())),
      get: ({ height }) =>
        Promise.resolve({ block: chain.blocks[height - 1], digest: chain.tips[height]?.digest ?? new Uint8Array(0) }),
      range: ({ from, maxCount }) =>
        Promise.resolve({ blocks: chain.blocks.slice(from - 1, from - 1 + (maxCount || 500)) }),
      fetch: ({ from, to, peers }) => Promise.resolve(this.#fetch(node, from, to, peers)),
      validators: ({ height }) => {
        const validators = chain.tips[height - 1]?.validators ?? this.set;
        return Promise.resolve({ height, validators, quorum: quorumOf(validators.validators.length) });
      },
    });
    context.provide(TxPool, {
      ...({} as TxPool),
      status: () =>
        Promise.resolve({ count: node.pool.size, bytes: 0, maxCount: 0, maxBytes: 0, oldest: 0, full: false }),
      submit: ({ transactions }) => {
        node.submitted.push(...transactions);
        return Promise.resolve({
          entries: transactions.map((one) => ({ id: sha256(one), state: 'pending' as const, code: '', reason: '' })),
        });
      },
    });
    context.provide(P2p, {
      ...({} as P2p),
      network: () => Promise.resolve(this.founded ? { genesis: Genesis.encode(this.genesis) } : {}),
    });
    context.provide(Identity, {
      ...({} as Identity),
      signVote: ({ network, vote }) => attempt(() => ({ signature: signGuarded(node, context, network, vote) })),
    });
    context.provide(Transport, this.#transport(node));
    return context;
  }

  #transport(node: ClusterNode): Transport {
    return {
      ...({} as Transport),
      sessions: () => Promise.resolve({ sessions: this.#others(node).map((other) => sessionOf(other)) }),
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
          this.clock.after(1, () => {
            if (target.running === undefined) return;
            void target.context.tell(Transport.events.received, { from: idOf(node), publicKey, kind, body });
          });
        }
        return Promise.resolve({ peers: targets.length });
      },
    };
  }

  #others(node: ClusterNode): ClusterNode[] {
    return this.nodes.filter(
      (other) => other !== node && other.running !== undefined && !this.cut.has(`${node.name}>${other.name}`),
    );
  }

  #fetch(
    node: ClusterNode,
    from: number,
    to: number,
    peers: readonly string[],
  ): { blocks: CertifiedBlock[]; sources: string[] } {
    const source = this.#others(node).find((other) => peers.includes(idOf(other)));
    const blocks = source?.chain.blocks.slice(from - 1, to) ?? [];
    return { blocks, sources: blocks.map(() => (source === undefined ? '' : idOf(source))) };
  }

  async #connect(a: ClusterNode, b: ClusterNode): Promise<void> {
    await a.context.tell(Transport.events.connected, sessionOf(b));
    await b.context.tell(Transport.events.connected, sessionOf(a));
  }
}

export const idOf = (node: ClusterNode): string => node.context.identity.nodeId;

function attempt<T>(run: () => T): Promise<T> {
  return new Promise((resolve) => {
    resolve(run());
  });
}

/** A guard as promise I4 has it: one digest for one height, round and type, for ever. */
function signGuarded(
  node: ClusterNode,
  context: FakeContext<ConsensusConfig>,
  network: Uint8Array,
  vote: VoteContent,
): Uint8Array {
  const slot = `${vote.height}/${vote.round}/${vote.type}`;
  const digest = toHex(vote.digest);
  const before = node.guard.get(slot);
  if (before !== undefined && before !== digest) throw failure('ERR_IDENTITY_DOUBLE_SIGN', slot);
  node.guard.set(slot, digest);
  return signBytes(voteSigningBytes(network, vote), context.keys.secretKey);
}

function sessionOf(node: ClusterNode): Parameters<typeof Transport.events.connected.body.encode>[0] {
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

export { hasCode };
