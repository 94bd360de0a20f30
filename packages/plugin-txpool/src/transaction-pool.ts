import {
  TxPool,
  decodeTransaction,
  sameBytes,
  type BlockCommitted,
  type Clock,
  type DecodedTransaction,
  type Infer,
  type Leader,
  type BlockProposed,
  type Log,
  type Metrics,
  type NoticeDefinition,
  type PoolEntry,
  type PoolStatus,
} from '@it-chain/contracts';
import { Admission, type AdmissionDependencies } from './admission.js';
import type { NetworkView } from './network-view.js';
import { PendingSet, keyOf, type PendingTransaction } from './pending-set.js';
import type { PoolStore, StoredTransaction } from './pool-store.js';
import { RecentIds } from './recent-ids.js';
import { Rejections } from './rejections.js';
import type { Room } from './room.js';
import { rejected, isFinal } from './screen.js';
import { SubmitGate } from './submit-gate.js';

type Answer<C extends keyof TxPool> = Awaited<ReturnType<TxPool[C]>>;
type Asked<C extends keyof TxPool> = Parameters<TxPool[C]>[0];

/** Ids whose commit is remembered without asking the store. */
const RECENT_COMMITTED = 20_000;
/** Ids that are compared with the store at once when an event was missed. */
const RECONCILE_STEP = 2_000;
/** Attempts of take to find transactions that are not committed. */
const TAKE_ATTEMPTS = 4;

/** What the pool needs of the rest of the node. */
export interface TransactionPoolDependencies extends Pick<AdmissionDependencies, 'application' | 'verify'> {
  readonly store: PoolStore;
  readonly room: Room;
  readonly view: NetworkView;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly emit: <B>(notice: NoticeDefinition<B>, body: B) => Promise<void>;
  /** Told when transactions have come into the pool. */
  readonly onAccepted: () => void;
}

/** The durable pool of pending transactions. */
export class TransactionPool implements TxPool {
  readonly #takeWaitMs: number;
  readonly #dependencies: TransactionPoolDependencies;
  readonly #gate: SubmitGate;
  readonly #rejections: Rejections;
  readonly #committed = new RecentIds(RECENT_COMMITTED);
  readonly #counters;
  readonly pending = new PendingSet();
  #nextArrival = 1;
  #nextRejection = 1;
  #network: Uint8Array | undefined;
  /** Those that wait for the event of a height. */
  #waiters: { readonly height: number; readonly wake: () => void }[] = [];
  #lastReconciled = 0;

  constructor(
    options: { readonly rejectedMemory: number; readonly takeWaitMs: number },
    dependencies: TransactionPoolDependencies,
  ) {
    this.#takeWaitMs = options.takeWaitMs;
    this.#dependencies = dependencies;
    this.#rejections = new Rejections(options.rejectedMemory);
    const { store, room, application, verify, metrics } = dependencies;
    const admission = new Admission({
      store,
      room,
      application,
      verify,
      known: (key) => this.#known(key),
      accept: (transactions, from) => this.#accept(transactions, from),
      describe: (id) => this.#known(keyOf(id)) ?? unknown(id),
    });
    this.#gate = new SubmitGate({
      admit: async (transactions, from) => {
        const { view } = dependencies;
        const facts = await view.need();
        return admission.submit(transactions, facts, view.height + 1, from);
      },
    });
    this.#counters = {
      size: metrics.gauge('txpool_size', 'Transactions that wait'),
      bytes: metrics.gauge('txpool_bytes', 'Bytes of transactions that wait'),
      accepted: metrics.counter('txpool_accepted_total', 'Transactions that came into the pool'),
      rejected: metrics.counter('txpool_rejected_total', 'Transactions that were rejected', ['code']),
    };
  }

  /** Takes up what is stored, without what was committed meanwhile. */
  async load(): Promise<void> {
    const { store, room, view, log } = this.#dependencies;
    const stored = await store.load();
    for (const { sequence, entry } of stored.rejections) {
      this.#rejections.add(entry, sequence);
      this.#nextRejection = sequence + 1;
    }
    const decoded = stored.transactions.map((one) => ({ one, read: decodeTransaction(one.transaction) }));
    const committed = await store.committed(decoded.map(({ read }) => read.id));
    for (const [index, { one, read }] of decoded.entries()) {
      this.#nextArrival = one.arrival + 1;
      const transaction = pendingOf(read, one);
      if (committed[index] === true || !this.pending.add(transaction)) store.forget(one.arrival);
      else room.take(transaction.sender, transaction.encoded.length);
    }
    view.height = await view.storedHeight();
    this.#lastReconciled = view.height;
    // The network may have been looked at while this was read: then nobody looks at these again.
    this.#rejectForeign([...this.pending.all()].map(({ id }) => id));
    this.#dropExpired();
    this.#measure();
    if (stored.transactions.length > 0) {
      log.info('pool loaded', {
        waiting: this.pending.size,
        committed: stored.transactions.length - this.pending.size,
      });
    }
  }

  submit({ transactions }: Asked<'submit'>): Promise<Answer<'submit'>> {
    return this.accept(transactions, '');
  }

  /** Takes in what a client (`from` empty) or a peer sent. */
  async accept(transactions: readonly Uint8Array[], from: string): Promise<Answer<'submit'>> {
    const entries = await this.#gate.submit(transactions, from);
    for (const entry of entries) {
      if (entry.state !== 'rejected') continue;
      this.#counters.rejected.add(1, { code: entry.code });
      if (isFinal(entry.code) && entry.code !== 'ERR_TX_DIFFERENT_NETWORK' && entry.id.length > 0) {
        if (this.#rejections.get(keyOf(entry.id)) === undefined) this.#remember(entry, undefined);
      }
    }
    return { entries };
  }

  async get({ ids }: Asked<'get'>): Promise<Answer<'get'>> {
    const entries = ids.map((id) => this.#known(keyOf(id)));
    const open = ids.filter((_, index) => entries[index] === undefined);
    const committed = open.length === 0 ? [] : await this.#dependencies.store.committed(open);
    const found = committed[Symbol.iterator]();
    return {
      entries: ids.map((id, index) => {
        const entry = entries[index];
        if (entry !== undefined) return entry;
        return found.next().value === true ? { id, state: 'committed', code: '', reason: '' } : unknown(id);
      }),
    };
  }

  async take({ maxCount, maxBytes, height }: Asked<'take'>): Promise<Answer<'take'>> {
    const { view, store } = this.#dependencies;
    const inTime = await this.#caughtUp(height - 1);
    const { facts } = view;
    if (facts === undefined) return { transactions: [] };
    const allowed = ({ expiresAt, network }: PendingTransaction): boolean =>
      expiresAt >= height && expiresAt <= height + facts.window && sameBytes(network, facts.network);
    for (let attempt = 1; ; attempt += 1) {
      const taken = this.pending.take(maxCount, maxBytes, allowed);
      // The event of the block before is late: the store says which of these it has committed.
      const stale = inTime
        ? []
        : (await store.committed(taken.map(({ id }) => id))).map((gone, at) => gone && taken[at]);
      for (const transaction of stale) if (transaction) this.#forget(transaction.id);
      if (attempt >= TAKE_ATTEMPTS || !stale.some(Boolean)) {
        return { transactions: taken.filter(({ waiting }) => waiting).map(({ encoded }) => encoded) };
      }
    }
  }

  have({ ids }: Asked<'have'>): Promise<Answer<'have'>> {
    return Promise.resolve({
      transactions: ids.map((id) => this.pending.get(keyOf(id))?.encoded ?? new Uint8Array(0)),
    });
  }

  status(): Promise<PoolStatus> {
    const { room } = this.#dependencies;
    const { maxCount, maxBytes } = room.limits;
    const oldest = this.pending.all().next();
    return Promise.resolve({
      count: this.pending.size,
      bytes: room.bytes,
      maxCount,
      maxBytes,
      oldest: oldest.done === true ? 0 : oldest.value.at,
      full: room.count >= maxCount || room.bytes >= maxBytes,
    });
  }

  /** A block was proposed: its transactions say so. */
  proposed({ height, ids }: Infer<typeof BlockProposed>): void {
    for (const id of ids) {
      const transaction = this.pending.get(keyOf(id));
      if (transaction !== undefined) transaction.proposed = Math.max(transaction.proposed, height);
    }
  }

  /** A block was committed: its transactions have left the pool. */
  async committed({ height, transactions }: BlockCommitted): Promise<void> {
    const { view } = this.#dependencies;
    const gap = height > view.height + 1;
    for (const id of transactions) this.#forget(id);
    if (gap) {
      await this.reconcile();
      return;
    }
    if (height <= view.height) return;
    view.height = height;
    this.#lastReconciled = height;
    this.#passHeight();
  }

  /** Who leads, as p2p tells it. */
  leader({ publicKey }: Leader): void {
    this.#dependencies.view.leaderKnown = publicKey !== undefined;
  }

  /** Looks whether the network is another one; what was signed for the one before is rejected, and its senders are told. */
  async lookAtNetwork(): Promise<void> {
    const { view } = this.#dependencies;
    await view.askNetwork();
    const { facts } = view;
    if (facts === undefined || (this.#network !== undefined && sameBytes(this.#network, facts.network))) return;
    this.#network = facts.network;
    const foreign = [...this.pending.all()].filter(({ network }) => !sameBytes(network, facts.network));
    this.#reject(foreign, 'ERR_TX_DIFFERENT_NETWORK', 'this node belongs to another network now: sign it for that one');
  }

  /** Compares the pool with the store where the tip is higher than the events have told. */
  async reconcile(): Promise<void> {
    const { view, store, log } = this.#dependencies;
    const stored = await view.storedHeight();
    if (stored <= this.#lastReconciled) return;
    log.debug('an event of a block was missed: comparing with the store', { from: this.#lastReconciled, to: stored });
    const all = [...this.pending.all()];
    for (let at = 0; at < all.length; at += RECONCILE_STEP) {
      const part = all.slice(at, at + RECONCILE_STEP);
      const committed = await store.committed(part.map(({ id }) => id));
      for (const [index, { id }] of part.entries()) if (committed[index] === true) this.#forget(id);
    }
    this.#lastReconciled = Math.max(this.#lastReconciled, stored);
    view.height = Math.max(view.height, stored);
    this.#passHeight();
  }

  async #accept(transactions: readonly DecodedTransaction[], from: string): Promise<void> {
    if (transactions.length === 0) return;
    const { store, clock, emit, onAccepted, room } = this.#dependencies;
    const at = clock.now();
    const records = transactions.map((read) => ({ arrival: this.#nextArrival++, transaction: read.encoded, at, from }));
    await store.append(records);
    const ids: Uint8Array[] = [];
    for (const [index, read] of transactions.entries()) {
      const record = records[index];
      if (record === undefined) continue;
      const transaction = pendingOf(read, record);
      // Committed by others while it was on its way to the disk, or of a network that is gone: nothing waits any more.
      if (this.#committed.has(keyOf(read.id)) || !this.pending.add(transaction)) {
        store.forget(record.arrival);
        room.release(transaction.sender, transaction.encoded.length);
      } else ids.push(read.id);
    }
    this.#counters.accepted.add(ids.length);
    this.#measure();
    this.#rejectForeign(ids);
    if (ids.length === 0) return;
    onAccepted();
    void emit(TxPool.events.accepted, { ids });
  }

  /** The network may have changed while these were verified and written. */
  #rejectForeign(ids: readonly Uint8Array[]): void {
    const network = this.#network;
    if (network === undefined) return;
    const foreign = ids
      .map((id) => this.pending.get(keyOf(id)))
      .filter((one): one is PendingTransaction => one !== undefined && !sameBytes(one.network, network));
    this.#reject(foreign, 'ERR_TX_DIFFERENT_NETWORK', 'this node belongs to another network now: sign it for that one');
  }

  #known(key: string): PoolEntry | undefined {
    const { view } = this.#dependencies;
    const transaction = this.pending.get(key);
    if (transaction !== undefined) {
      const { id, proposed } = transaction;
      if (proposed > view.height) return { id, state: 'proposed', code: '', reason: `proposed in block ${proposed}` };
      const leading = view.facts?.founded === true && view.leaderKnown;
      return { id, state: 'pending', code: '', reason: leading ? 'waiting for a block' : 'no leader yet' };
    }
    if (this.#committed.has(key)) {
      return { id: new Uint8Array(Buffer.from(key, 'latin1')), state: 'committed', code: '', reason: '' };
    }
    return this.#rejections.get(key);
  }

  #forget(id: Uint8Array): void {
    const key = keyOf(id);
    this.#committed.add(key);
    const transaction = this.pending.remove(key);
    if (transaction !== undefined) this.#drop(transaction);
  }

  #drop({ arrival, sender, encoded }: PendingTransaction): void {
    const { store, room } = this.#dependencies;
    store.forget(arrival);
    room.release(sender, encoded.length);
  }

  #passHeight(): void {
    const { view } = this.#dependencies;
    this.#dropExpired();
    this.#measure();
    const ready = this.#waiters.filter(({ height }) => height <= view.height);
    this.#waiters = this.#waiters.filter(({ height }) => height > view.height);
    for (const { wake } of ready) wake();
  }

  #dropExpired(): void {
    const next = this.#dependencies.view.height + 1;
    this.#reject(this.pending.expired(next), 'ERR_TX_EXPIRED', `no block took it before height ${next}`);
  }

  #reject(
    transactions: readonly PendingTransaction[],
    code: 'ERR_TX_EXPIRED' | 'ERR_TX_DIFFERENT_NETWORK',
    reason: string,
  ): void {
    if (transactions.length === 0) return;
    const entries = transactions.map(({ id }) => rejected(id, code, reason));
    for (const [index, transaction] of transactions.entries()) {
      this.pending.remove(keyOf(transaction.id));
      this.#drop(transaction);
      const entry = entries[index];
      if (entry !== undefined) this.#remember(entry, this.#nextRejection++);
    }
    this.#counters.rejected.add(entries.length, { code });
    this.#measure();
    void this.#dependencies.emit(TxPool.events.rejected, { entries });
  }

  #remember(entry: PoolEntry, sequence: number | undefined): void {
    const { store } = this.#dependencies;
    if (sequence !== undefined) store.noteRejection(sequence, entry);
    for (const old of this.#rejections.add(entry, sequence)) store.dropRejection(old);
  }

  /** Waits, within a limit, until the event of a height was heard. False where it was not. */
  async #caughtUp(height: number): Promise<boolean> {
    const { view, clock } = this.#dependencies;
    if (view.height >= height) return true;
    return new Promise((resolve) => {
      const waiter = {
        height,
        wake: () => {
          cancel();
          resolve(true);
        },
      };
      const cancel = clock.after(this.#takeWaitMs, () => {
        this.#waiters = this.#waiters.filter((one) => one !== waiter);
        resolve(false);
      });
      this.#waiters.push(waiter);
    });
  }

  #measure(): void {
    this.#counters.size.set(this.pending.size);
    this.#counters.bytes.set(this.#dependencies.room.bytes);
  }
}

const unknown = (id: Uint8Array): PoolEntry => ({ id, state: 'unknown', code: '', reason: '' });

function pendingOf(
  read: DecodedTransaction,
  stored: StoredTransaction & { readonly arrival: number },
): PendingTransaction {
  const { id, value } = read;
  const { arrival, at, from } = stored;
  // Copies: what was read is a view of the whole message it came in, and would keep that alive.
  const encoded = new Uint8Array(read.encoded);
  const network = new Uint8Array(value.network);
  const { expiresAt } = value;
  return {
    arrival,
    id,
    encoded,
    sender: keyOf(value.sender),
    network,
    expiresAt,
    from,
    at,
    proposed: 0,
    waiting: true,
  };
}
