import {
  Block,
  BlockHeader,
  Certificate,
  GENESIS_DEFAULTS,
  Genesis,
  KvOperation,
  type ValidatorSet,
  concatBytes,
  failure,
  genesisSystemState,
  genesisValidators,
  headerDigest,
  keyPairFromSeed,
  merkleRoot,
  networkOf,
  nodeIdOf,
  sha256,
  signBytes,
  toHex,
  utf8,
  validatorSetHash,
  voteSigningBytes,
  type CertifiedBlock,
  type ChainTip,
  type ConsensusStatus,
  type DecodedTransaction,
  type KeptEvidenceList,
  type KeyPair,
  type Peer,
  type PoolEntry,
  type Storage,
  type SystemState,
} from '@it-chain/contracts';
import { MemoryStorage } from './memory-storage.js';

/** A block that a fake node has made. */
export interface StoredBlock {
  readonly certified: CertifiedBlock;
  readonly digest: Uint8Array;
  readonly header: BlockHeader;
  readonly transactions: readonly DecodedTransaction[];
}

/** The Merkle leaf of a transaction: id and signature. */
export function leafOf({ id, value }: DecodedTransaction): Uint8Array {
  return concatBytes(id, value.signature);
}

/** What a FakeNode holds: one validator, its blocks, pool and state. Its roles are made of it. */
export class FakeLedger {
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
      previousStateRoot: this.roots().stateRoot,
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

  /** Roots of what it holds. */
  roots(): { readonly systemRoot: Uint8Array; readonly applicationRoot: Uint8Array; readonly stateRoot: Uint8Array } {
    const systemRoot = sha256(utf8('system'));
    const applicationRoot = sha256(utf8(JSON.stringify([...this.state].map(([key, value]) => [key, toHex(value)]))));
    return { systemRoot, applicationRoot, stateRoot: sha256(concatBytes(systemRoot, applicationRoot)) };
  }

  /** The end of its chain. @throws ERR_NETWORK_UNFOUNDED */
  tip(): ChainTip {
    if (!this.founded) throw failure('ERR_NETWORK_UNFOUNDED', 'this node belongs to no network yet');
    const set: ValidatorSet = genesisValidators(this.genesis);
    const last = this.blocks.at(-1);
    return {
      network: this.network,
      height: this.height,
      digest: last?.digest ?? this.network,
      ...this.roots(),
      rootCertified: true,
      time: last?.header.time ?? this.genesis.time,
      proposer: this.keys.publicKey,
      proposerSequence: 0,
      validators: set,
      nextValidators: set,
      learners: [],
    };
  }

  /** Fails while {@link cutOffQueries} are left. */
  failIfCutOff(): void {
    if (this.cutOffQueries === 0) return;
    this.cutOffQueries -= 1;
    throw failure('ERR_BUS_CLOSED', 'the connection to the broker is lost', { retryable: true });
  }
}
