import {
  Block,
  BlockHeader,
  Certificate,
  ChainTip,
  Genesis,
  HistoryEntry,
  Location,
  Snapshot,
  SystemState,
  ValidatorSet,
  chainKeys,
  concatBytes,
  failure,
  heightKey,
  networkOf,
  p2pKeys,
  sameBytes,
  systemRootOf,
  toHex,
  type CertifiedBlock,
  type Entry,
  type Infer,
  type Namespace,
  type Receipt,
  type Storage,
  type Write,
} from '@it-chain/contracts';
import { LRUCache } from 'lru-cache';
import type { Executed } from './block-executor.js';
import type { ChainState } from './chain-state.js';
import type { ReadBlock } from './read-block.js';
import { LEAF_BYTES, StoredHeader, StoredReceipts, storedKeys } from './stored.js';

/** Keys in one `storage.read`. */
const READ_KEYS = 5_000;
/** Receipts in one stored value, and bytes of them. */
const RECEIPTS_PER_VALUE = 500;
const RECEIPT_BYTES_PER_VALUE = 512 * 1024;
/** Most keys of `wal` that one commit clears; what is left goes with the next. */
const CLEARED_PER_COMMIT = 10_000;

const EMPTY = new Uint8Array(0);

/** What one commit writes. */
export interface CommitBatch {
  readonly before: ChainState;
  readonly after: ChainState;
  readonly block: ReadBlock;
  readonly executed: Executed;
  readonly certificate: Certificate;
  /** Length of the encoded body where it is stored already. */
  readonly bodyBytes: number | undefined;
  /** Digests of this height whose bodies were stored and not decided. */
  readonly staleBodies: readonly Uint8Array[];
  readonly clearLogBelow: number;
  readonly sync: boolean;
}

/** The chain's keyspace of the store: what is read from it and the one batch that commits a block. */
export class ChainStore {
  readonly #storage: Storage;
  readonly #receipts: LRUCache<number, readonly Receipt[]>;
  #base: Snapshot | undefined;

  constructor(options: { readonly receiptHeights: number }, dependencies: { readonly storage: Storage }) {
    this.#storage = dependencies.storage;
    this.#receipts = new LRUCache({ max: options.receiptHeights });
  }

  /** The snapshot that the chain began with: blocks up to its height are not here. Known once {@link load} has run. */
  get base(): Snapshot | undefined {
    return this.#base;
  }

  set base(snapshot: Snapshot | undefined) {
    this.#base = snapshot;
  }

  /** The state after the last committed block, or undefined before block 1. @throws ERR_STORAGE_DAMAGED */
  async load(): Promise<ChainState | undefined> {
    const [tipBytes, systemBytes, base] = await this.#read('chain', [
      chainKeys.tip,
      storedKeys.system,
      storedKeys.base,
    ]);
    const [genesisBytes] = await this.#read('p2p', [p2pKeys.genesis]);
    if (tipBytes === undefined) return undefined;
    if (systemBytes === undefined || genesisBytes === undefined) {
      throw failure('ERR_STORAGE_DAMAGED', 'the store has a tip of a chain, but not its genesis or its members');
    }
    const tip = ChainTip.decode(tipBytes);
    const system = SystemState.decodeCanonical(systemBytes);
    const genesis = Genesis.decodeCanonical(genesisBytes);
    const network = networkOf(genesis);
    if (!sameBytes(network, tip.network)) {
      throw failure(
        'ERR_STORAGE_DAMAGED',
        `the store holds the genesis ${toHex(network)} and a chain of ${toHex(tip.network)}`,
      );
    }
    if (!sameBytes(systemRootOf(system), tip.systemRoot)) {
      throw failure('ERR_STORAGE_DAMAGED', `the members at height ${tip.height} do not have the root of the tip`);
    }
    this.#base = base === undefined ? undefined : Snapshot.decode(base);
    return { genesis, genesisBytes, network, tip, tipBytes, system };
  }

  /** Stores the body of a block that is not decided, synced. @returns its length */
  async storeBody({ block, header, digest }: ReadBlock): Promise<number> {
    const value = Block.encode(block);
    await this.#write([{ namespace: 'chain', key: storedKeys.body(header.height, digest), value }], [], true);
    return value.length;
  }

  /** Digests of the bodies that are stored for a height. */
  async storedBodies(height: number): Promise<Uint8Array[]> {
    const entries = await this.#all('chain', storedKeys.bodies(height), storedKeys.bodies(height + 1));
    return entries.map(({ key }) => key.subarray(key.length - 32));
  }

  /** A stored body, decided or not. */
  async body(height: number, digest: Uint8Array): Promise<Block | undefined> {
    const [value] = await this.#read('chain', [storedKeys.body(height, digest)]);
    return value === undefined ? undefined : Block.decode(value);
  }

  /** Commits a block: one batch, on the condition that tip and genesis are those it was executed on. @throws ERR_STORAGE_CONDITION */
  async commit(batch: CommitBatch): Promise<void> {
    const { before, after, executed } = batch;
    const writes = [
      ...this.#blockWrites(batch),
      ...indexWrites(batch),
      ...(await this.#expiredIndexes(after)),
      ...(await this.#clearedLog(batch.clearLogBelow)),
    ];
    for (const { key, value } of executed.writes) writes.push({ namespace: 'app', key, value });
    writes.push(
      { namespace: 'chain', key: storedKeys.system, value: SystemState.encode(after.system) },
      { namespace: 'chain', key: chainKeys.tip, value: after.tipBytes },
    );
    await this.#write(
      writes,
      [
        { namespace: 'chain', key: chainKeys.tip, value: before.tipBytes },
        { namespace: 'p2p', key: p2pKeys.genesis, value: before.genesisBytes },
      ],
      batch.sync,
    );
  }

  /** Which of these ids are committed, by position. */
  async locations(ids: readonly Uint8Array[]): Promise<(Infer<typeof Location> | undefined)[]> {
    const values = await this.#read('chain', ids.map(chainKeys.transaction));
    return values.map((value) => (value === undefined ? undefined : Location.decode(value)));
  }

  /** The receipts of a committed height, in order. */
  async receipts(height: number): Promise<readonly Receipt[]> {
    const known = this.#receipts.get(height);
    if (known !== undefined) return known;
    const receipts = await this.#readReceipts(height);
    this.#receipts.set(height, receipts);
    return receipts;
  }

  async #readReceipts(height: number): Promise<Receipt[]> {
    const entries = await this.#all('chain', storedKeys.receiptsOf(height), storedKeys.receiptsOf(height + 1));
    return entries.flatMap(({ value }) => StoredReceipts.decode(value).receipts);
  }

  /** The header record of a committed height. */
  async header(height: number): Promise<StoredHeader | undefined> {
    const [value] = await this.#read('chain', [storedKeys.header(height)]);
    return value === undefined ? undefined : StoredHeader.decode(value);
  }

  /** The height of a committed digest. */
  async heightOf(digest: Uint8Array): Promise<number | undefined> {
    const [value] = await this.#read('chain', [storedKeys.digest(digest)]);
    return value === undefined ? undefined : Number(Buffer.from(value).readBigUInt64BE());
  }

  /** The set that holds at a height up to the tip. */
  async validators(height: number): Promise<ValidatorSet | undefined> {
    const { entries } = await this.#storage.range({
      namespace: 'chain',
      from: storedKeys.validators(0),
      to: storedKeys.validators(height + 1),
      limit: 1,
      maxBytes: 0,
      reverse: true,
    });
    const found = entries[0];
    return found === undefined ? undefined : ValidatorSet.decode(found.value);
  }

  /** The stored block of a height, also where the chain begins above it and a network before has left it here. */
  async block(height: number): Promise<(CertifiedBlock & { readonly digest: Uint8Array }) | undefined> {
    const stored = await this.header(height);
    if (stored === undefined) return undefined;
    const block = await this.#read('chain', [storedKeys.body(height, stored.digest)]).then(([body]) => body);
    if (block === undefined) throw bodyMissing(height);
    return { block, certificate: stored.certificate, digest: stored.digest };
  }

  /** Certified blocks from a height on, cut by count and by bytes; at least one where there is one. */
  async range(from: number, maxCount: number, maxBytes: number): Promise<CertifiedBlock[]> {
    const begins = this.#base?.height ?? 0;
    if (from <= begins) {
      const why =
        this.#base?.version === 2
          ? `this network begins after block ${begins} of the one before it: blocks up to there are none of it`
          : `the chain begins with a snapshot here: blocks up to ${begins} are not in the store`;
      throw failure('ERR_BLOCK_NOT_FOUND', why);
    }
    const headers = await this.#headers(from, maxCount, maxBytes);
    const bodies = await this.#read(
      'chain',
      headers.map(({ digest }, index) => storedKeys.body(from + index, digest)),
    );
    return headers.map(({ certificate }, index) => {
      const block = bodies[index];
      if (block === undefined) throw bodyMissing(from + index);
      return { block, certificate };
    });
  }

  async #headers(from: number, maxCount: number, maxBytes: number): Promise<StoredHeader[]> {
    const headers: StoredHeader[] = [];
    let size = 0;
    for (let next = from, more = true; more && headers.length < maxCount; next = from + headers.length) {
      const page = await this.#storage.range({
        namespace: 'chain',
        from: storedKeys.header(next),
        to: storedKeys.header(from + maxCount),
        limit: maxCount - headers.length,
        maxBytes: 0,
        reverse: false,
      });
      for (const { value } of page.entries) {
        const header = StoredHeader.decode(value);
        // The fields around the two values take less than 32 bytes.
        size += header.bodyBytes + header.certificate.length + 32;
        if (headers.length > 0 && size > maxBytes) return headers;
        headers.push(header);
      }
      more = page.more && page.entries.length > 0;
    }
    return headers;
  }

  #blockWrites({ after, block, certificate, bodyBytes, staleBodies, executed }: CommitBatch): Write[] {
    const height = after.tip.height;
    const writes: Write[] = [];
    const put = (key: Uint8Array, value: Uint8Array): void => {
      writes.push({ namespace: 'chain', key, value });
    };
    let length = bodyBytes;
    if (length === undefined) {
      const encoded = Block.encode(block.block);
      put(storedKeys.body(height, block.digest), encoded);
      length = encoded.length;
    }
    put(
      storedKeys.header(height),
      StoredHeader.encode({
        header: block.block.header,
        certificate: Certificate.encode(certificate),
        digest: block.digest,
        bodyBytes: length,
      }),
    );
    put(storedKeys.digest(block.digest), heightKey(height));
    for (const { index, receipts } of receiptValues(executed.receipts)) {
      put(storedKeys.receipts(height, index), StoredReceipts.encode({ receipts }));
    }
    for (const digest of staleBodies) writes.push({ namespace: 'chain', key: storedKeys.body(height, digest) });
    return writes;
  }

  /** Ids that no block may repeat any more, because every transaction of their height has expired; one height per block. */
  async #expiredIndexes(after: ChainState): Promise<Write[]> {
    const height = after.tip.height - after.genesis.window;
    if (height < 1) return [];
    const list = await this.#historyAt(height);
    const ids = list ?? (await this.#readReceipts(height)).map(({ id }) => id);
    const writes: Write[] = ids.map((id) => ({ namespace: 'chain', key: chainKeys.transaction(id) }));
    // The list itself is kept for another window: the snapshot that is offered may need it.
    const old = height - after.genesis.window;
    if (old >= 1 && old <= (this.#base?.height ?? 0)) writes.push({ namespace: 'chain', key: storedKeys.history(old) });
    return writes;
  }

  /** Ids of a height whose block is not here, by its transaction list. */
  async #historyAt(height: number): Promise<Uint8Array[] | undefined> {
    if (height > (this.#base?.height ?? 0)) return undefined;
    const [value] = await this.#read('chain', [storedKeys.history(height)]);
    if (value === undefined) return undefined;
    const { leaves } = HistoryEntry.decode(value);
    return Array.from({ length: leaves.length / LEAF_BYTES }, (_, index) =>
      leaves.subarray(index * LEAF_BYTES, index * LEAF_BYTES + 32),
    );
  }

  async #clearedLog(below: number): Promise<Write[]> {
    if (below <= 0) return [];
    const entries = await this.#all('wal', EMPTY, heightKey(below), CLEARED_PER_COMMIT);
    return entries.map(({ key }) => ({ namespace: 'wal', key }));
  }

  async #read(namespace: Namespace, keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    const values: (Uint8Array | undefined)[] = [];
    for (let at = 0; at < keys.length; at += READ_KEYS) {
      const answer = await this.#storage.read({ namespace, keys: keys.slice(at, at + READ_KEYS) });
      for (const { value } of answer.values) values.push(value);
    }
    return values;
  }

  async #all(namespace: Namespace, from: Uint8Array, to: Uint8Array, most = Infinity): Promise<Entry[]> {
    const entries: Entry[] = [];
    for (let next = from; entries.length < most;) {
      const page = await this.#storage.range({ namespace, from: next, to, limit: 0, maxBytes: 0, reverse: false });
      entries.push(...page.entries);
      const last = page.entries.at(-1);
      if (!page.more || last === undefined) break;
      next = concatBytes(last.key, new Uint8Array([0]));
    }
    return entries;
  }

  async #write(writes: readonly Write[], when: readonly Write[], sync: boolean): Promise<void> {
    await this.#storage.write({ writes, when, sync, writer: '', sequence: 0 });
  }
}

const bodyMissing = (height: number): Error =>
  failure('ERR_STORAGE_DAMAGED', `the body of the committed block ${height} is not in the store`);

function indexWrites({ before, after, block }: CommitBatch): Write[] {
  const { height, validators, nextValidators } = after.tip;
  const writes: Write[] = block.ids.map((id, index) => ({
    namespace: 'chain',
    key: chainKeys.transaction(id),
    value: Location.encode({ height, index }),
  }));
  const putSet = (from: number, set: ValidatorSet): void => {
    writes.push({ namespace: 'chain', key: storedKeys.validators(from), value: ValidatorSet.encode(set) });
  };
  if (height === 1) putSet(1, before.tip.validators);
  if (!sameBytes(ValidatorSet.encode(validators), ValidatorSet.encode(nextValidators)))
    putSet(height + 2, nextValidators);
  return writes;
}

function* receiptValues(receipts: readonly Receipt[]): Generator<{ index: number; receipts: Receipt[] }> {
  let index = 0;
  let part: Receipt[] = [];
  let size = 0;
  for (const receipt of receipts) {
    const bytes = receipt.output.length + receipt.message.length * 3 + 48;
    if (part.length > 0 && (part.length >= RECEIPTS_PER_VALUE || size + bytes > RECEIPT_BYTES_PER_VALUE)) {
      yield { index, receipts: part };
      index += part.length;
      part = [];
      size = 0;
    }
    part.push(receipt);
    size += bytes;
  }
  if (part.length > 0) yield { index, receipts: part };
}

/** Reads the header of a stored record. */
export const headerOf = (stored: StoredHeader): BlockHeader => BlockHeader.decode(stored.header);
