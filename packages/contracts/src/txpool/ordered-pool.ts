import { toHex } from '../data/hash.js';
import { decodeTransaction, transactionSigningBytes, type DecodedTransaction } from '../data/transaction.js';
import { failure } from '../errors/fail.js';
import type { Clock } from '../plugin/clock.js';
import type { SignatureCheck } from '../plugin/plugin.js';
import type { AnswerOf, NoticeDefinition, RequestOf } from '../plugin/role.js';
import type { Application } from '../roles/application.js';
import type { BlockCommitted } from '../roles/chain.js';
import type { P2p } from '../roles/p2p.js';
import { TxPool, type PoolEntry, type PoolStatus } from '../roles/txpool.js';
import { sameBytes, type Infer } from '../schema/index.js';
import { isFinal, readRules, rejected, screen, type NetworkRules } from './network-rules.js';
import type { PoolLog } from './pool-log.js';
import { fillBlock, type PoolOrder, type WaitingTransaction } from './pool-order.js';
import type { PoolSettings } from './pool-settings.js';

type Answer<C extends keyof TxPool> = AnswerOf<TxPool, C>;
type Asked<C extends keyof TxPool> = RequestOf<TxPool, C>;

/** A transaction that waits, as the pool keeps it. */
export interface Waiting extends WaitingTransaction {
  readonly network: Uint8Array;
  /** Node id of the peer it came from; empty for a client of this node. */
  readonly from: string;
  /** The highest block that it was proposed in; 0 for none. */
  proposed: number;
}

/** The limits of the pool, and its order. */
export interface OrderedPoolOptions extends Pick<
  PoolSettings,
  'maxBytes' | 'maxCount' | 'maxPerSender' | 'rejectedMemory'
> {
  readonly order: PoolOrder;
}

/** What the pool needs of the rest of the node. */
export interface OrderedPoolDependencies {
  readonly log: PoolLog;
  readonly p2p: P2p;
  readonly application: Application;
  readonly clock: Clock;
  readonly verify: (checks: readonly SignatureCheck[]) => Promise<boolean[]>;
  readonly emit: <B>(notice: NoticeDefinition<B>, body: B) => Promise<void>;
  /** Told when there is something new to pass on. */
  readonly onAccepted: () => void;
}

/** Submits that may wait for their turn. */
const MAX_SUBMITS = 1_000;

/** The durable pool, in an order that is given. Everything that changes it goes through one queue, so each step sees what the one before did. */
export class OrderedPool implements TxPool {
  readonly #options: OrderedPoolOptions;
  readonly #with: OrderedPoolDependencies;
  /** By id in hex, in the order of arrival. */
  readonly waiting = new Map<string, Waiting>();
  readonly #perSender = new Map<string, number>();
  readonly #rejections = new Map<string, PoolEntry>();
  #bytes = 0;
  #arrivals = 1;
  #rules: NetworkRules | undefined;
  #height = 0;
  #leaderKnown = false;
  #submits = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: OrderedPoolOptions, dependencies: OrderedPoolDependencies) {
    this.#options = options;
    this.#with = dependencies;
  }

  /** Takes up what is stored, without what was committed meanwhile. */
  async load(): Promise<void> {
    for (const record of await this.#with.log.load()) {
      this.#arrivals = record.arrival + 1;
      // Signature and form were checked before it was stored; network and expiry are looked at when it is taken.
      this.#add(decodeTransaction(record.transaction), record.arrival, record.from, record.at);
    }
    await this.#dropCommitted();
  }

  submit({ transactions }: Asked<'submit'>): Promise<Answer<'submit'>> {
    return this.accept(transactions, '');
  }

  /** Takes in what a client (`from` empty) or a peer sent; answered when it is on disk. */
  accept(transactions: readonly Uint8Array[], from: string): Promise<Answer<'submit'>> {
    if (this.#submits >= MAX_SUBMITS) {
      return Promise.reject(failure('ERR_TXPOOL_FULL', `${MAX_SUBMITS} submits wait already`, { retryable: true }));
    }
    this.#submits += 1;
    return this.#inTurn(async () => ({ entries: await this.#accept(transactions, from) })).finally(() => {
      this.#submits -= 1;
    });
  }

  async get({ ids }: Asked<'get'>): Promise<Answer<'get'>> {
    const committed = await this.#with.log.committed(ids);
    const entries = ids.map((id, index): PoolEntry => {
      if (committed[index] === true) return { id, state: 'committed', code: '', reason: '' };
      return this.#known(id) ?? { id, state: 'unknown', code: '', reason: '' };
    });
    return { entries };
  }

  async take({ maxCount, maxBytes, height }: Asked<'take'>): Promise<Answer<'take'>> {
    // The event of the block before may be on its way still: the store says what it holds.
    if (this.#height < height - 1) await this.#inTurn(() => this.#dropCommitted());
    const rules = this.#rules;
    if (rules === undefined) return { transactions: [] };
    const allowed = [...this.waiting.values()].filter(
      ({ expiresAt, network }) =>
        expiresAt >= height && expiresAt <= height + rules.window && sameBytes(network, rules.network),
    );
    const taken = fillBlock(allowed, this.#options.order, { height, maxCount, maxBytes });
    return { transactions: taken.map(({ encoded }) => encoded) };
  }

  have({ ids }: Asked<'have'>): Promise<Answer<'have'>> {
    const transactions = ids.map((id) => this.waiting.get(toHex(id))?.encoded ?? new Uint8Array(0));
    return Promise.resolve({ transactions });
  }

  status(): Promise<PoolStatus> {
    const { maxCount, maxBytes } = this.#options;
    const oldest = this.waiting.values().next();
    return Promise.resolve({
      count: this.waiting.size,
      bytes: this.#bytes,
      maxCount,
      maxBytes,
      oldest: oldest.done === true ? 0 : oldest.value.at,
      full: this.waiting.size >= maxCount || this.#bytes >= maxBytes,
    });
  }

  proposed({ height, ids }: { readonly height: number; readonly ids: readonly Uint8Array[] }): void {
    for (const id of ids) {
      const waiting = this.waiting.get(toHex(id));
      if (waiting !== undefined) waiting.proposed = Math.max(waiting.proposed, height);
    }
  }

  /** A block was committed: its transactions have left. */
  committed({ height, transactions }: Pick<Infer<typeof BlockCommitted>, 'height' | 'transactions'>): Promise<void> {
    return this.#inTurn(async () => {
      const gap = height > this.#height + 1;
      this.#height = Math.max(this.#height, height);
      await this.#remove(transactions.map(toHex));
      if (gap) await this.#dropCommitted();
      await this.#dropExpired();
    });
  }

  leader(known: boolean): void {
    this.#leaderKnown = known;
  }

  /** Looks at what events may have failed to tell: the network, the leader, and what was committed. */
  look(height: number): Promise<void> {
    return this.#inTurn(async () => {
      await this.#readRules();
      this.#leaderKnown = (await this.#with.p2p.leader({})).publicKey !== undefined;
      if (height > this.#height) {
        this.#height = height;
        await this.#dropCommitted();
      }
      await this.#dropForeign();
      await this.#dropExpired();
    });
  }

  async #accept(transactions: readonly Uint8Array[], from: string): Promise<PoolEntry[]> {
    const rules = this.#rules ?? (await this.#readRules());
    if (rules === undefined) {
      throw failure('ERR_NETWORK_UNFOUNDED', 'it is not known yet which network transactions must be signed for', {
        retryable: true,
      });
    }
    const fresh = new Map<string, DecodedTransaction>();
    const refused = new Map<string, PoolEntry>();
    const read = transactions.map((encoded) => {
      const screened = screen(encoded, rules, this.#height + 1);
      if (!('value' in screened)) return screened;
      if (this.#known(screened.id) === undefined) fresh.set(toHex(screened.id), screened);
      return screened;
    });
    await this.#judge(fresh, refused, rules);
    await this.#store([...fresh.values()], from);
    return read.map((one) => {
      if (!('value' in one)) return one;
      return (
        refused.get(toHex(one.id)) ?? this.#known(one.id) ?? rejected(one.id, 'ERR_TX_REFUSED', 'it has left already')
      );
    });
  }

  /** Moves from `fresh` to `refused` what is committed, has no room, a wrong signature, or is not for the application. */
  async #judge(
    fresh: Map<string, DecodedTransaction>,
    refused: Map<string, PoolEntry>,
    { network }: NetworkRules,
  ): Promise<void> {
    const refuse = (id: Uint8Array, entry: PoolEntry): void => {
      fresh.delete(toHex(id));
      refused.set(toHex(id), entry);
      if (isFinal(entry.code)) this.#remember(entry);
    };
    const all = (): DecodedTransaction[] => [...fresh.values()];
    const ids = all().map(({ id }) => id);
    const committed = await this.#with.log.committed(ids);
    ids.forEach((id, index) => {
      if (committed[index] === true) refuse(id, { id, state: 'committed', code: '', reason: '' });
    });
    this.#requireRoom(all(), refuse);
    const checks = all().map(({ encoded, value }) => ({
      publicKey: value.sender,
      message: transactionSigningBytes(encoded, network),
      signature: value.signature,
    }));
    const verdicts = await this.#with.verify(checks);
    all().forEach(({ id }, index) => {
      if (verdicts[index] !== true) refuse(id, rejected(id, 'ERR_TX_SIGNATURE', 'the signature is not valid'));
    });
    const asked = all().filter(({ value }) => value.application !== undefined);
    if (asked.length === 0) return;
    const answer = await this.#with.application.check({
      transactions: asked.map(({ id, value }) => ({ id, sender: value.sender, payload: value.application ?? NONE })),
    });
    asked.forEach(({ id }, index) => {
      const { ok, code, reason } = answer.verdicts[index] ?? { ok: false, code: '', reason: 'no answer' };
      if (!ok) refuse(id, rejected(id, 'ERR_TX_REFUSED', `${code}: ${reason}`));
    });
  }

  #requireRoom(fresh: readonly DecodedTransaction[], refuse: (id: Uint8Array, entry: PoolEntry) => void): void {
    const { maxCount, maxBytes, maxPerSender } = this.#options;
    let [count, bytes] = [this.waiting.size, this.#bytes];
    const perSender = new Map<string, number>();
    for (const { id, encoded, value } of fresh) {
      const sender = toHex(value.sender);
      const held = (perSender.get(sender) ?? 0) + (this.#perSender.get(sender) ?? 0);
      if (count >= maxCount || bytes + encoded.length > maxBytes) {
        refuse(id, rejected(id, 'ERR_TXPOOL_FULL', `the pool holds ${count} of ${maxCount}; send it again later`));
      } else if (held >= maxPerSender) {
        refuse(id, rejected(id, 'ERR_TXPOOL_SENDER_LIMIT', `${maxPerSender} of this sender wait; send it again later`));
      } else {
        count += 1;
        bytes += encoded.length;
        perSender.set(sender, (perSender.get(sender) ?? 0) + 1);
      }
    }
  }

  async #store(accepted: readonly DecodedTransaction[], from: string): Promise<void> {
    if (accepted.length === 0) return;
    const at = this.#with.clock.now();
    const records = accepted.map(({ encoded }) => ({ arrival: this.#arrivals++, transaction: encoded, at, from }));
    await this.#with.log.append(records);
    accepted.forEach((one, index) => {
      const record = records[index];
      if (record !== undefined) this.#add(one, record.arrival, from, at);
    });
    this.#with.onAccepted();
    void this.#with.emit(TxPool.events.accepted, { ids: accepted.map(({ id }) => id) });
  }

  #add({ id, encoded, value }: DecodedTransaction, arrival: number, from: string, at: number): void {
    const sender = toHex(value.sender);
    this.waiting.set(toHex(id), {
      arrival,
      id,
      // A copy: what was read is a piece of a larger message, and would keep that alive.
      encoded: Uint8Array.from(encoded),
      sender,
      expiresAt: value.expiresAt,
      network: Uint8Array.from(value.network),
      from,
      at,
      proposed: 0,
    });
    this.#perSender.set(sender, (this.#perSender.get(sender) ?? 0) + 1);
    this.#bytes += encoded.length;
  }

  async #remove(keys: readonly string[]): Promise<void> {
    const arrivals: number[] = [];
    for (const key of keys) {
      const gone = this.waiting.get(key);
      if (gone === undefined) continue;
      this.waiting.delete(key);
      this.#bytes -= gone.encoded.length;
      const held = (this.#perSender.get(gone.sender) ?? 1) - 1;
      if (held === 0) this.#perSender.delete(gone.sender);
      else this.#perSender.set(gone.sender, held);
      arrivals.push(gone.arrival);
    }
    await this.#with.log.remove(arrivals);
  }

  async #dropCommitted(): Promise<void> {
    const all = [...this.waiting.values()];
    const committed = await this.#with.log.committed(all.map(({ id }) => id));
    await this.#remove(all.filter((_, index) => committed[index] === true).map(({ id }) => toHex(id)));
  }

  #dropExpired(): Promise<void> {
    const next = this.#height + 1;
    const expired = [...this.waiting.values()].filter(({ expiresAt }) => expiresAt < next);
    return this.#reject(expired, 'ERR_TX_EXPIRED', `no block took it before height ${next}`);
  }

  #dropForeign(): Promise<void> {
    const rules = this.#rules;
    if (rules === undefined) return Promise.resolve();
    const foreign = [...this.waiting.values()].filter(({ network }) => !sameBytes(network, rules.network));
    return this.#reject(foreign, 'ERR_TX_DIFFERENT_NETWORK', 'this node belongs to another network now');
  }

  async #reject(
    gone: readonly Waiting[],
    code: 'ERR_TX_EXPIRED' | 'ERR_TX_DIFFERENT_NETWORK',
    reason: string,
  ): Promise<void> {
    if (gone.length === 0) return;
    const entries = gone.map(({ id }) => rejected(id, code, reason));
    entries.forEach((entry) => this.#remember(entry));
    await this.#remove(gone.map(({ id }) => toHex(id)));
    void this.#with.emit(TxPool.events.rejected, { entries });
  }

  #remember(entry: PoolEntry): void {
    this.#rejections.set(toHex(entry.id), entry);
    const oldest = this.#rejections.keys().next();
    if (this.#rejections.size > this.#options.rejectedMemory && oldest.done !== true) {
      this.#rejections.delete(oldest.value);
    }
  }

  #known(id: Uint8Array): PoolEntry | undefined {
    const waiting = this.waiting.get(toHex(id));
    if (waiting === undefined) return this.#rejections.get(toHex(id));
    if (waiting.proposed > this.#height) {
      return { id, state: 'proposed', code: '', reason: `proposed in block ${waiting.proposed}` };
    }
    const led = this.#leaderKnown && this.#rules?.founded === true;
    return { id, state: 'pending', code: '', reason: led ? 'waiting for a block' : 'no leader yet' };
  }

  async #readRules(): Promise<NetworkRules | undefined> {
    this.#rules = (await readRules(this.#with.p2p)) ?? this.#rules;
    return this.#rules;
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(run);
    // The caller gets its error; the next one does not depend on it.
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

const NONE = new Uint8Array(0);
