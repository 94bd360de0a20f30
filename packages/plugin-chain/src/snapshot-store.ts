import {
  BlockHeader,
  Certificate,
  HistoryEntry,
  Location,
  Snapshot,
  SystemState,
  ValidatorSet,
  beginningOf,
  chainKeys,
  concatBytes,
  heightKey,
  p2pKeys,
  transactionId,
  transactionLeaf,
  type ApplicationWrite,
  type Entry,
  type Namespace,
  type SetChange,
  type Storage,
  type Write,
} from '@it-chain/contracts';
import type { ChainState } from './chain-state.js';
import type { ChainStore } from './chain-store.js';
import { LEAF_BYTES, storedKeys } from './stored.js';

/** Entries that are deleted in one write. */
const WIPE_AT_ONCE = 1_000;
const MAX_SETS = 10_000;
const EMPTY = new Uint8Array(0);

/** What the store holds of snapshots: the one that is offered, and what a restored chain began with. */
export class SnapshotStore {
  readonly #storage: Storage;
  readonly #chain: ChainStore;
  /** Up to where blocks were removed, once it was looked at. */
  #pruned: number | undefined;

  constructor(dependencies: { readonly storage: Storage; readonly chain: ChainStore }) {
    this.#storage = dependencies.storage;
    this.#chain = dependencies.chain;
  }

  /** The snapshot that is offered to peers. */
  async offered(): Promise<Uint8Array | undefined> {
    return (await this.#read('chain', [storedKeys.offered]))[0];
  }

  /** A page of a snapshot. */
  async page(height: number, index: number): Promise<Uint8Array | undefined> {
    return (await this.#read('chain', [storedKeys.page(height, index)]))[0];
  }

  async writePage(height: number, index: number, value: Uint8Array): Promise<void> {
    await this.#write([{ namespace: 'chain', key: storedKeys.page(height, index), value }], false);
  }

  /** Offers a snapshot whose pages are written, keeps its proof where old blocks are to go, and removes the pages of all others. */
  async offer(snapshot: Snapshot, keepProof: boolean): Promise<void> {
    const value = Snapshot.encode(snapshot);
    await this.#write(
      [
        { namespace: 'chain', key: storedKeys.offered, value },
        ...(keepProof ? [{ namespace: 'chain' as const, key: storedKeys.proof(snapshot.height), value }] : []),
      ],
      true,
    );
    await this.#wipe('chain', storedKeys.pages, storedKeys.page(snapshot.height, 0));
    await this.#wipe('chain', storedKeys.page(snapshot.height + 1, 0), storedKeys.pagesEnd);
  }

  /** Proofs of every change of the set up to header `height`; undefined where there are too many for a snapshot. */
  async setChanges(height: number): Promise<SetChange[] | undefined> {
    const { base } = this.#chain;
    const changes: SetChange[] = [...(base?.sets ?? [])];
    const from = storedKeys.validators(Math.max(2, (base?.height ?? 0) + 2));
    for (const { key, value } of await this.#all('chain', from, storedKeys.validators(height + 2))) {
      // A set holds from this height on, so the header below it is the one that names it.
      const holds = Number(Buffer.from(key).readBigUInt64BE(key.length - 8));
      const stored = await this.#chain.header(holds - 1);
      if (stored === undefined || changes.length >= MAX_SETS) return undefined;
      const { header, certificate } = stored;
      changes.push({ header, certificate: Certificate.decode(certificate), validators: ValidatorSet.decode(value) });
    }
    return changes;
  }

  /** Transaction lists from a height downwards, up to a size; at least one where there is one. */
  async history(from: number, maxBytes: number): Promise<HistoryEntry[]> {
    const entries: HistoryEntry[] = [];
    let size = 0;
    for (let height = from; height >= 1; height -= 1) {
      const entry = (await this.#stored(height)) ?? (await this.#ofBody(height));
      if (entry === undefined) break;
      size += entry.header.length + entry.leaves.length + 16;
      if (entries.length > 0 && size > maxBytes) break;
      entries.push(entry);
    }
    return entries;
  }

  async #stored(height: number): Promise<HistoryEntry | undefined> {
    if (height > (this.#chain.base?.height ?? 0)) return undefined;
    const [value] = await this.#read('chain', [storedKeys.history(height)]);
    return value === undefined ? undefined : HistoryEntry.decode(value);
  }

  async #ofBody(height: number): Promise<HistoryEntry | undefined> {
    const stored = await this.#chain.header(height);
    const body = stored === undefined ? undefined : await this.#chain.body(height, stored.digest);
    if (stored === undefined || body === undefined) return undefined;
    // Of the block, not of the chain: below the beginning of a recovered network there are blocks of the one before.
    const { network } = BlockHeader.decode(stored.header);
    const leaves = body.transactions.map((encoded) => transactionLeaf(transactionId(encoded, network), encoded));
    return { header: stored.header, leaves: concatBytes(...leaves) };
  }

  /**
   * Lets the chain begin with the highest snapshot that was made here at or below `upTo`; its pages may be gone.
   * @returns its height, where that is news
   */
  async moveBase(upTo: number): Promise<number | undefined> {
    const begins = this.#chain.base?.height ?? 0;
    if (upTo <= begins) return undefined;
    const proofs = await this.#all('chain', storedKeys.proof(0), storedKeys.proof(upTo + 1));
    const best = proofs.at(-1);
    if (best === undefined) return undefined;
    const snapshot = Snapshot.decode(best.value);
    const writes: Write[] = proofs.map(({ key }) => ({ namespace: 'chain', key }));
    if (snapshot.height > begins) writes.push({ namespace: 'chain', key: storedKeys.base, value: best.value });
    await this.#write(writes, true);
    if (snapshot.height <= begins) return undefined;
    this.#chain.base = snapshot;
    return snapshot.height;
  }

  /**
   * Removes up to `most` blocks from below the base, the oldest first; a transaction list is kept of those above `oldest`.
   * @returns the height of the base, when the last one below it has gone
   */
  async prune(most: number, oldest: number): Promise<number | undefined> {
    const begins = this.#chain.base?.height ?? 0;
    this.#pruned ??= await this.#storedPruned();
    if (this.#pruned >= begins) return undefined;
    const last = Math.min(begins, this.#pruned + most);
    const writes: Write[] = [];
    for (let height = this.#pruned + 1; height <= last; height += 1) {
      writes.push(...(await this.#removalOf(height, oldest)));
    }
    writes.push({ namespace: 'chain', key: storedKeys.pruned, value: heightKey(last) });
    await this.#write(writes, false);
    this.#pruned = last;
    return last < begins ? undefined : begins;
  }

  /** Gives back the space of blocks up to a height that were removed. May take long; nobody should wait for it. */
  async compact(height: number): Promise<void> {
    for (const [from, to] of storedKeys.prunedRanges(height)) {
      await this.#storage.compact?.({ namespace: 'chain', from, to });
    }
  }

  async #storedPruned(): Promise<number> {
    const [value] = await this.#read('chain', [storedKeys.pruned]);
    return value === undefined ? 0 : Number(Buffer.from(value).readBigUInt64BE());
  }

  async #removalOf(height: number, oldest: number): Promise<Write[]> {
    const stored = await this.#chain.header(height);
    if (stored === undefined) return [];
    const remove = (key: Uint8Array): Write => ({ namespace: 'chain', key });
    const writes = [
      remove(storedKeys.header(height)),
      remove(storedKeys.digest(stored.digest)),
      remove(storedKeys.body(height, stored.digest)),
    ];
    const receipts = await this.#all('chain', storedKeys.receiptsOf(height), storedKeys.receiptsOf(height + 1));
    for (const { key } of receipts) writes.push(remove(key));
    const list = height > oldest ? await this.#ofBody(height) : undefined;
    if (list !== undefined) {
      writes.push({ namespace: 'chain', key: storedKeys.history(height), value: HistoryEntry.encode(list) });
    }
    return writes;
  }

  /** True where a restore was begun and not finished. */
  async isRestoring(): Promise<boolean> {
    return (await this.#read('chain', [storedKeys.restoring]))[0] !== undefined;
  }

  /** Notes that a restore begins; until it is finished, a start wipes what it has left. @throws ERR_STORAGE_CONDITION */
  async begin({ genesisBytes }: ChainState): Promise<void> {
    await this.#storage.write({
      writes: [{ namespace: 'chain', key: storedKeys.restoring, value: EMPTY }],
      when: [
        { namespace: 'chain', key: chainKeys.tip },
        { namespace: 'p2p', key: p2pKeys.genesis, value: genesisBytes },
      ],
      sync: true,
      writer: '',
      sequence: 0,
    });
  }

  async writeState(writes: readonly ApplicationWrite[]): Promise<void> {
    await this.#write(
      writes.map(({ key, value }) => ({ namespace: 'app', key, value })),
      false,
    );
  }

  /** Stores verified transaction lists: the ids are committed, so no block may repeat them. */
  async writeHistory(entries: readonly HistoryEntry[]): Promise<void> {
    const writes: Write[] = [];
    for (const entry of entries) {
      const { height } = BlockHeader.decode(entry.header);
      writes.push({ namespace: 'chain', key: storedKeys.history(height), value: HistoryEntry.encode(entry) });
      for (let index = 0; index * LEAF_BYTES < entry.leaves.length; index += 1) {
        const id = entry.leaves.subarray(index * LEAF_BYTES, index * LEAF_BYTES + 32);
        writes.push({ namespace: 'chain', key: chainKeys.transaction(id), value: Location.encode({ height, index }) });
      }
    }
    await this.#write(writes, false);
  }

  /** Makes the restored state the chain's, in one synced batch. @throws ERR_STORAGE_CONDITION */
  async finish(before: ChainState, after: ChainState, snapshot: Snapshot): Promise<void> {
    const put = (key: Uint8Array, value: Uint8Array): Write => ({ namespace: 'chain', key, value });
    if (after.tipBytes === undefined) throw new TypeError('a restored state has a tip');
    const sets = snapshot.sets.map(({ header, validators }) =>
      put(storedKeys.validators(BlockHeader.decode(header).height + 1), ValidatorSet.encode(validators)),
    );
    const { height, validators, nextValidators } = after.tip;
    const next = put(storedKeys.validators(height + 2), ValidatorSet.encode(nextValidators));
    const changes = !Buffer.from(ValidatorSet.encode(validators)).equals(ValidatorSet.encode(nextValidators));
    await this.#storage.write({
      writes: [
        put(storedKeys.validators(beginningOf(before.genesis) + 1), ValidatorSet.encode(before.tip.validators)),
        ...sets,
        ...(changes ? [next] : []),
        ...(snapshot.version === 2 ? [put(storedKeys.offered, Snapshot.encode(snapshot))] : []),
        put(storedKeys.base, Snapshot.encode(snapshot)),
        put(storedKeys.pruned, heightKey(snapshot.height)),
        put(storedKeys.system, SystemState.encode(after.system)),
        put(chainKeys.tip, after.tipBytes),
        { namespace: 'chain', key: storedKeys.restoring },
      ],
      when: [
        { namespace: 'chain', key: chainKeys.tip },
        { namespace: 'p2p', key: p2pKeys.genesis, value: before.genesisBytes },
      ],
      sync: true,
      writer: '',
      sequence: 0,
    });
  }

  /**
   * Changes the chain over to the network that recovers it, in one synced batch. Blocks, receipts and committed ids of the
   * network before stay where they are, below the new base. @throws ERR_STORAGE_CONDITION
   */
  async changeNetwork(before: ChainState, after: ChainState, base: Snapshot, offered: boolean): Promise<void> {
    const put = (key: Uint8Array, value?: Uint8Array): Write => ({ namespace: 'chain', key, value });
    if (after.tipBytes === undefined) throw new TypeError('a recovered chain has a tip');
    const { height, validators } = after.tip;
    const encoded = Snapshot.encode(base);
    await this.#storage.write({
      writes: [
        { namespace: 'p2p', key: p2pKeys.genesis, value: after.genesisBytes },
        { namespace: 'p2p', key: p2pKeys.leader },
        put(storedKeys.validators(height + 1), ValidatorSet.encode(validators)),
        // The set that the network before had scheduled.
        put(storedKeys.validators(height + 2)),
        put(storedKeys.base, encoded),
        put(storedKeys.offered, offered ? encoded : undefined),
        put(storedKeys.system, SystemState.encode(after.system)),
        put(chainKeys.tip, after.tipBytes),
      ],
      when: [
        { namespace: 'chain', key: chainKeys.tip, value: before.tipBytes },
        { namespace: 'p2p', key: p2pKeys.genesis, value: before.genesisBytes },
      ],
      sync: true,
      writer: '',
      sequence: 0,
    });
    await this.#wipe('chain', storedKeys.pages, storedKeys.page(height, 0));
    await this.#wipe('chain', storedKeys.proof(0), storedKeys.proof(height + 1));
  }

  /** Removes all that a restore has written; the mark that it was begun goes last. */
  async wipe(): Promise<void> {
    await this.#wipe('app', EMPTY, undefined);
    for (const [from, to] of storedKeys.restored) await this.#wipe('chain', from, to);
    await this.#wipe('chain', storedKeys.pages, storedKeys.pagesEnd);
    await this.#write([{ namespace: 'chain', key: storedKeys.restoring }], true);
  }

  async #wipe(namespace: Namespace, from: Uint8Array, to: Uint8Array | undefined): Promise<void> {
    for (;;) {
      const page = await this.#storage.range({ namespace, from, to, limit: WIPE_AT_ONCE, maxBytes: 0, reverse: false });
      await this.#write(
        page.entries.map(({ key }) => ({ namespace, key })),
        false,
      );
      if (!page.more) return;
    }
  }

  async #read(namespace: Namespace, keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    const { values } = await this.#storage.read({ namespace, keys });
    return values.map(({ value }) => value);
  }

  async #all(namespace: Namespace, from: Uint8Array, to: Uint8Array): Promise<Entry[]> {
    const entries: Entry[] = [];
    for (let next = from; ;) {
      const page = await this.#storage.range({ namespace, from: next, to, limit: 0, maxBytes: 0, reverse: false });
      entries.push(...page.entries);
      const last = page.entries.at(-1);
      if (!page.more || last === undefined) return entries;
      next = concatBytes(last.key, new Uint8Array(1));
    }
  }

  async #write(writes: readonly Write[], sync: boolean): Promise<void> {
    if (writes.length === 0) return;
    await this.#storage.write({ writes, when: [], sync, writer: '', sequence: 0 });
  }
}
