import {
  Block,
  BlockHeader,
  Certificate,
  GENESIS_DEFAULTS,
  Genesis,
  ItChainError,
  KvOperation,
  KvRangeAnswer,
  KvRangeQuery,
  type ValidatorSet,
  compareBytes,
  concatBytes,
  decodeTransaction,
  failure,
  genesisSystemState,
  genesisValidators,
  headerDigest,
  keyPairFromSeed,
  merklePath,
  merkleRoot,
  networkOf,
  nodeIdOf,
  policyOf,
  quorumOf,
  sha256,
  signBytes,
  toHex,
  utf8,
  validatorSetHash,
  verifySignature,
  transactionSigningBytes,
  voteSigningBytes,
  type Application,
  type CertifiedBlock,
  type Chain,
  type ChainTip,
  type Consensus,
  type ConsensusStatus,
  type DecodedTransaction,
  type KeptEvidenceList,
  type KeyPair,
  type P2p,
  type Peer,
  type PoolEntry,
  type Receipt,
  type Storage,
  type SystemState,
  type Transport,
  type TxPool,
} from '@it-chain/contracts';
import { MemoryStorage } from './memory-storage.js';

/** The roles that a client API is built on. */
export interface FakeRoles {
  readonly chain: Chain;
  readonly txpool: TxPool;
  readonly p2p: P2p;
  readonly consensus: Consensus;
  readonly application: Application;
  readonly storage: Storage;
  readonly transport: Transport;
}

interface StoredBlock {
  readonly certified: CertifiedBlock;
  readonly digest: Uint8Array;
  readonly header: BlockHeader;
  readonly transactions: readonly DecodedTransaction[];
}

const unused = (): Promise<never> =>
  Promise.reject(failure('ERR_ROLE_UNKNOWN_CALL', 'the fake node does not answer this'));

/**
 * A whole node without a network, for tests of clients: one validator, blocks that are really built, hashed and signed, a
 * key-value state without proofs. A block is made only when the test asks for it with {@link FakeNode.commit}.
 */
export class FakeNode {
  readonly keys: KeyPair;
  readonly nodeId: string;
  readonly genesis: Genesis;
  readonly network: Uint8Array;
  readonly blocks: StoredBlock[] = [];
  readonly pool = new Map<string, DecodedTransaction>();
  readonly rejected = new Map<string, PoolEntry>();
  readonly state = new Map<string, Uint8Array>();
  readonly peers: Peer[] = [];
  /** Told with every event; a test wires it to what listens. */
  onEvent: (notice: string, body: unknown) => void = () => undefined;
  founded = false;
  maxPool = 1_000;
  /** What is told of the members; a test puts proposals in. Blocks do not change it. */
  system: SystemState;
  /** What `consensus.status` answers instead of the state of one validator. */
  consensus: ConsensusStatus | undefined;
  /** What `evidence.list` answers. */
  evidence: KeptEvidenceList['entries'] = [];
  /** State queries that are answered as overtaken before one is answered. */
  staleQueries = 0;
  /** Questions to the pool and for ranges of blocks that fail as cut off from the bus before one is answered. */
  cutOffQueries = 0;
  readonly storage: Storage = new MemoryStorage();

  constructor(seed = 'fake-node') {
    this.keys = keyPairFromSeed(sha256(utf8(seed)));
    this.nodeId = nodeIdOf(this.keys.publicKey);
    this.genesis = {
      ...GENESIS_DEFAULTS,
      nonce: sha256(utf8(`${seed}/nonce`)),
      founder: this.keys.publicKey,
      validators: [this.keys.publicKey],
      admission: 'open',
      application: 'kv/1',
      time: 1_700_000_000_000,
    };
    this.network = networkOf(this.genesis);
    this.system = genesisSystemState(this.genesis);
    this.peers.push({
      nodeId: this.nodeId,
      publicKey: this.keys.publicKey,
      name: seed,
      address: '127.0.0.1:7000',
      self: true,
      connected: true,
      direction: 'none',
      since: 1_700_000_000_000,
    });
  }

  /** All roles as plain objects. */
  get roles(): FakeRoles {
    return {
      chain: this.#chain(),
      txpool: this.#txpool(),
      p2p: this.#p2p(),
      consensus: {
        status: async () =>
          this.consensus ?? {
            height: this.founded ? this.height + 1 : 0,
            round: 0,
            leader: this.founded ? this.keys.publicKey : new Uint8Array(0),
            quorum: this.founded ? 1 : 0,
            validator: this.founded,
            views: [],
            waiting: '',
          },
        evidence: async () => ({ entries: this.evidence }),
      },
      application: this.#application(),
      storage: this.storage,
      transport: this.#transport(),
    };
  }

  get height(): number {
    return this.blocks.length;
  }

  /** Founds the network. */
  found(): void {
    this.founded = true;
    this.onEvent('network.founded', { genesis: Genesis.encode(this.genesis), founder: true, candidate: this.network });
  }

  /** Commits all that waits as the next block, and tells it. */
  commit(): StoredBlock {
    const transactions = [...this.pool.values()];
    const height = this.height + 1;
    const set = genesisValidators(this.genesis);
    const header: BlockHeader = {
      version: 1,
      network: this.network,
      height,
      previous: this.blocks.at(-1)?.digest ?? this.network,
      proposer: this.keys.publicKey,
      proposerSequence: 0,
      time: this.genesis.time + height * 1_000,
      transactionRoot: merkleRoot(transactions.map(leafOf)),
      transactionCount: transactions.length,
      previousStateRoot: this.#roots().stateRoot,
      validators: validatorSetHash(set),
      nextValidators: validatorSetHash(set),
    };
    const encoded = BlockHeader.encode(header);
    const digest = headerDigest(encoded, this.network);
    const content = voteSigningBytes(this.network, { type: 'commit', height, round: 0, digest });
    const certificate = {
      height,
      round: 0,
      digest,
      seals: [{ validator: 0, signature: signBytes(content, this.keys.secretKey) }],
    };
    const block = Block.encode({ header: encoded, transactions: transactions.map((one) => one.encoded) });
    const stored = { certified: { block, certificate: Certificate.encode(certificate) }, digest, header, transactions };
    for (const { value } of transactions) this.#apply(value.application);
    this.blocks.push(stored);
    this.pool.clear();
    const ids = transactions.map(({ id }) => id);
    this.onEvent('block.committed', {
      height,
      digest,
      transactions: ids,
      proposer: this.keys.publicKey,
      time: header.time,
      tip: height,
      round: 0,
    });
    return stored;
  }

  #apply(payload: Uint8Array | undefined): void {
    if (payload === undefined) return;
    const { put, delete: removed, compareAndSet } = KvOperation.decode(payload);
    if (put !== undefined) this.state.set(toHex(put.key), put.value);
    if (removed !== undefined) this.state.delete(toHex(removed.key));
    if (compareAndSet?.value !== undefined) this.state.set(toHex(compareAndSet.key), compareAndSet.value);
  }

  #roots(): { readonly systemRoot: Uint8Array; readonly applicationRoot: Uint8Array; readonly stateRoot: Uint8Array } {
    const systemRoot = sha256(utf8('system'));
    const applicationRoot = sha256(utf8(JSON.stringify([...this.state].map(([key, value]) => [key, toHex(value)]))));
    return { systemRoot, applicationRoot, stateRoot: sha256(concatBytes(systemRoot, applicationRoot)) };
  }

  #tip(): ChainTip {
    if (!this.founded) throw failure('ERR_NETWORK_UNFOUNDED', 'this node belongs to no network yet');
    const set: ValidatorSet = genesisValidators(this.genesis);
    const last = this.blocks.at(-1);
    return {
      network: this.network,
      height: this.height,
      digest: last?.digest ?? this.network,
      ...this.#roots(),
      rootCertified: true,
      time: last?.header.time ?? this.genesis.time,
      proposer: this.keys.publicKey,
      proposerSequence: 0,
      validators: set,
      nextValidators: set,
      learners: [],
    };
  }

  #locate(id: Uint8Array): { readonly block: StoredBlock; readonly index: number } | undefined {
    for (const block of this.blocks) {
      const index = block.transactions.findIndex((one) => toHex(one.id) === toHex(id));
      if (index >= 0) return { block, index };
    }
    return undefined;
  }

  #chain(): Chain {
    return {
      build: unused,
      check: unused,
      commit: unused,
      fetch: unused,
      tip: async () => this.#tip(),
      get: async ({ height, digest }) => {
        const found =
          digest === undefined
            ? this.blocks[height - 1]
            : this.blocks.find((one) => toHex(one.digest) === toHex(digest));
        if (found === undefined) return { digest: new Uint8Array(0) };
        return { block: found.certified, digest: found.digest };
      },
      range: async ({ from, maxCount }) => {
        this.#failIfCutOff();
        this.#tip();
        const most = maxCount === 0 ? 500 : maxCount;
        return { blocks: this.blocks.slice(from - 1, from - 1 + most).map((one) => one.certified) };
      },
      locate: async ({ ids }) => {
        this.#tip();
        return {
          transactions: ids.map((id) => {
            const at = this.#locate(id);
            if (at === undefined) return {};
            const receipt: Receipt = { id, code: 0, output: new Uint8Array(0), message: '' };
            return { location: { height: at.block.header.height, index: at.index }, receipt };
          }),
        };
      },
      prove: async ({ id }) => {
        const at = this.#locate(id);
        if (at === undefined) throw failure('ERR_BLOCK_NOT_FOUND', `the transaction ${toHex(id)} is not committed`);
        const { block, index } = at;
        return {
          transaction: block.transactions[index]?.encoded ?? new Uint8Array(0),
          header: BlockHeader.encode(block.header),
          certificate: Certificate.decode(block.certified.certificate),
          index,
          path: merklePath(block.transactions.map(leafOf), index),
          validators: genesisValidators(this.genesis),
        };
      },
      validators: async ({ height }) => ({
        height: height === 0 ? this.#tip().height + 1 : height,
        validators: genesisValidators(this.genesis),
        quorum: quorumOf(1),
      }),
      roles: async ({ publicKeys }) => {
        this.#tip();
        return {
          roles: publicKeys.map((key) => ({
            role: toHex(key) === toHex(this.keys.publicKey) ? ('validator' as const) : ('observer' as const),
          })),
        };
      },
      members: async () => ({
        height: this.#tip().height,
        validators: genesisValidators(this.genesis),
        state: this.system,
        policy: policyOf(this.system, this.genesis),
        minValidators: 1,
        leaderTerm: 0,
      }),
    } satisfies Partial<Chain> as Chain;
  }

  #failIfCutOff(): void {
    if (this.cutOffQueries === 0) return;
    this.cutOffQueries -= 1;
    throw failure('ERR_BUS_CLOSED', 'the connection to the broker is lost', { retryable: true });
  }

  #txpool(): TxPool {
    const entry = (id: Uint8Array): PoolEntry => {
      const known = this.rejected.get(toHex(id));
      if (known !== undefined) return known;
      const state = this.pool.has(toHex(id)) ? 'pending' : 'unknown';
      return { id, state, code: '', reason: state === 'pending' && !this.founded ? 'no leader yet' : '' };
    };
    return {
      submit: async ({ transactions }) => ({ entries: transactions.map((encoded) => this.#accept(encoded)) }),
      get: async ({ ids }) => {
        this.#failIfCutOff();
        return { entries: ids.map(entry) };
      },
      take: unused,
      have: unused,
      status: async () => ({
        count: this.pool.size,
        bytes: 0,
        maxCount: this.maxPool,
        maxBytes: 1_000_000,
        oldest: 0,
        full: this.pool.size >= this.maxPool,
      }),
    } satisfies Partial<TxPool> as TxPool;
  }

  #accept(encoded: Uint8Array): PoolEntry {
    const refused = (code: string, reason: string, id: Uint8Array = new Uint8Array(0)): PoolEntry => ({
      id,
      state: 'rejected',
      code,
      reason,
    });
    let read: DecodedTransaction;
    try {
      read = decodeTransaction(encoded);
    } catch (error) {
      return refused('ERR_TX_MALFORMED', error instanceof Error ? error.message : '');
    }
    const { id, value } = read;
    const signed = transactionSigningBytes(encoded, value.network);
    if (toHex(value.network) !== toHex(this.network)) {
      return refused('ERR_TX_DIFFERENT_NETWORK', `sign for ${toHex(this.network)}`, id);
    }
    if (!verifySignature(value.sender, signed, value.signature)) {
      return refused('ERR_TX_SIGNATURE', 'the signature is not valid', id);
    }
    if (this.pool.size >= this.maxPool) {
      return refused('ERR_TXPOOL_FULL', `the pool holds ${this.maxPool} transactions`, id);
    }
    this.pool.set(toHex(id), read);
    this.onEvent('transaction.accepted', { ids: [id] });
    return { id, state: 'pending', code: '', reason: this.founded ? '' : 'no leader yet' };
  }

  #p2p(): P2p {
    const encoded = Genesis.encode(this.genesis);
    return {
      join: async () => {
        this.found();
        return { network: this.network, nodeId: this.nodeId, transaction: sha256(utf8('join')), voted: false };
      },
      found: async () => {
        this.found();
        return { genesis: encoded };
      },
      list: async () => ({ peers: this.peers }),
      leader: async () =>
        this.founded
          ? { publicKey: this.keys.publicKey, nodeId: this.nodeId, height: this.height + 1, round: 0 }
          : { nodeId: '', height: 0, round: 0 },
      network: async () => (this.founded ? { genesis: encoded } : { candidate: encoded }),
    } satisfies Partial<P2p> as P2p;
  }

  #application(): Application {
    return {
      info: async () => ({ name: 'kv/1', emptyRoot: this.#roots().applicationRoot }),
      check: unused,
      execute: unused,
      query: async ({ path, data, root }) => {
        if (this.staleQueries > 0) {
          this.staleQueries -= 1;
          throw new ItChainError('ERR_KV_STALE_ROOT', 'the root was overtaken', { retryable: true });
        }
        if (toHex(root) !== toHex(this.#roots().applicationRoot)) {
          throw new ItChainError('ERR_KV_STALE_ROOT', 'the root was overtaken', { retryable: true });
        }
        const none = { proof: new Uint8Array(0), code: 0 };
        if (path !== 'range') {
          const value = this.state.get(toHex(data));
          return { found: value !== undefined, data: value ?? new Uint8Array(0), ...none };
        }
        const { from, to, limit } = KvRangeQuery.decode(data);
        const all = [...this.state]
          .map(([key, value]) => ({ key: new Uint8Array(Buffer.from(key, 'hex')), value }))
          .filter(({ key }) => compareBytes(key, from) >= 0 && (to === undefined || compareBytes(key, to) < 0))
          .sort((a, b) => compareBytes(a.key, b.key));
        const most = limit === 0 ? 100 : limit;
        const answer = { entries: all.slice(0, most), more: all.length > most };
        return { found: true, data: KvRangeAnswer.encode(answer), ...none };
      },
    } satisfies Partial<Application> as Application;
  }

  #transport(): Transport {
    return {
      announce: async () => ({}),
      deliver: async () => ({ peers: 0 }),
      fetch: unused,
      answer: async () => ({}),
      sessions: async () => ({ sessions: [] }),
      dial: async ({ address }) => {
        if (address === '127.0.0.1:1') throw failure('ERR_PEER_UNREACHABLE', `nobody answers at ${address}`);
        return {
          nodeId: this.nodeId,
          publicKey: this.keys.publicKey,
          address,
          direction: 'outbound' as const,
          since: 0,
          hello: {
            network: this.network,
            genesis: new Uint8Array(0),
            height: 0,
            name: '',
            addresses: [],
            candidate: new Uint8Array(0),
            leader: new Uint8Array(0),
          },
        };
      },
      disconnect: async ({ nodeId }) => {
        if (!this.peers.some((peer) => peer.nodeId === nodeId)) {
          throw failure('ERR_PEER_NOT_CONNECTED', `there is no session to ${nodeId}`);
        }
        return {};
      },
      status: async () => ({ listening: '127.0.0.1:7000', advertised: '127.0.0.1:7000', insecure: false }),
    } satisfies Partial<Transport> as Transport;
  }
}

/** The Merkle leaf of a transaction: id and signature. */
function leafOf({ id, value }: DecodedTransaction): Uint8Array {
  return concatBytes(id, value.signature);
}
