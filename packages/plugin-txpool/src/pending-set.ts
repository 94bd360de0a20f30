/** A transaction that waits: accepted, verified and on disk. */
export interface PendingTransaction {
  /** Grows with every transaction that came; the order of the pool. */
  readonly arrival: number;
  /** 32 bytes. */
  readonly id: Uint8Array;
  readonly encoded: Uint8Array;
  /** Public key of the sender as a map key. */
  readonly sender: string;
  /** Digest of the genesis it was signed for. */
  readonly network: Uint8Array;
  readonly expiresAt: number;
  /** Node id of the peer that sent it; empty for a client of this node. */
  readonly from: string;
  /** When it came, in ms since the epoch. */
  readonly at: number;
  /** The last height at which a block with it was proposed here, or 0. */
  proposed: number;
  /** False once it has left. */
  waiting: boolean;
}

/** Bytes as a key of a map: one character per byte. */
export const keyOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

interface SenderQueue {
  transactions: PendingTransaction[];
  /** Everything before it has left. */
  head: number;
}

/** What has left is cleared out of a list once it is the larger part, and more than this. */
const SLACK = 1_000;

/** The transactions that wait, in memory. Pure: no clock, no store, no limits. */
export class PendingSet {
  readonly #byId = new Map<string, PendingTransaction>();
  readonly #bySender = new Map<string, SenderQueue>();
  /** By arrival, what has left included until it is cleared out. */
  #order: PendingTransaction[] = [];
  /** No transaction expires below this height. */
  #firstExpiry = Infinity;

  get size(): number {
    return this.#byId.size;
  }

  get(key: string): PendingTransaction | undefined {
    return this.#byId.get(key);
  }

  /** Adds one that came after all others. False where its id is here already. */
  add(transaction: PendingTransaction): boolean {
    const key = keyOf(transaction.id);
    if (this.#byId.has(key)) return false;
    this.#byId.set(key, transaction);
    this.#order.push(transaction);
    const queue = this.#bySender.get(transaction.sender);
    if (queue === undefined) this.#bySender.set(transaction.sender, { transactions: [transaction], head: 0 });
    else queue.transactions.push(transaction);
    this.#firstExpiry = Math.min(this.#firstExpiry, transaction.expiresAt);
    return true;
  }

  /** Removes one; gives it back, or undefined where it is not here. */
  remove(key: string): PendingTransaction | undefined {
    const transaction = this.#byId.get(key);
    if (transaction === undefined) return undefined;
    transaction.waiting = false;
    this.#byId.delete(key);
    this.#trimSender(transaction.sender);
    if (this.#order.length > 2 * this.#byId.size + SLACK) this.#order = this.#order.filter(({ waiting }) => waiting);
    return transaction;
  }

  /** Those that no block of `height` or above may hold. */
  expired(height: number): PendingTransaction[] {
    if (height <= this.#firstExpiry) return [];
    const expired: PendingTransaction[] = [];
    let first = Infinity;
    for (const transaction of this.#byId.values()) {
      if (transaction.expiresAt < height) expired.push(transaction);
      else first = Math.min(first, transaction.expiresAt);
    }
    this.#firstExpiry = first;
    return expired;
  }

  /**
   * The fair order: senders by the arrival of their oldest, one of each in turn, each sender's own in the order in which
   * they came. A function of what waits, so it is the same after a restart. Removes nothing.
   */
  take(
    maxCount: number,
    maxBytes: number,
    allowed: (transaction: PendingTransaction) => boolean,
  ): PendingTransaction[] {
    let queues = [...this.#bySender.values()]
      .map((queue) => this.#cursor(queue, allowed))
      .filter((cursor) => cursor.next !== undefined)
      .sort((a, b) => (a.next?.arrival ?? 0) - (b.next?.arrival ?? 0));
    const taken: PendingTransaction[] = [];
    let size = 0;
    while (queues.length > 0 && taken.length < maxCount) {
      const left: typeof queues = [];
      for (const cursor of queues) {
        const transaction = cursor.next;
        if (transaction === undefined || taken.length >= maxCount) break;
        // A sender whose next one does not fit is done for this block: its later ones must not overtake it.
        if (size + transaction.encoded.length > maxBytes) continue;
        size += transaction.encoded.length;
        taken.push(transaction);
        cursor.advance();
        if (cursor.next !== undefined) left.push(cursor);
      }
      queues = left;
    }
    return taken;
  }

  /** Those that came after `arrival`, in order. */
  *after(arrival: number): Generator<PendingTransaction> {
    const order = this.#order;
    let low = 0;
    let high = order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((order[middle]?.arrival ?? 0) <= arrival) low = middle + 1;
      else high = middle;
    }
    for (let index = low; index < order.length; index += 1) {
      const transaction = order[index];
      if (transaction?.waiting === true) yield transaction;
    }
  }

  /** All that wait, oldest first. */
  all(): Generator<PendingTransaction> {
    return this.after(-1);
  }

  #trimSender(sender: string): void {
    const queue = this.#bySender.get(sender);
    if (queue === undefined) return;
    while (queue.transactions[queue.head]?.waiting === false) queue.head += 1;
    if (queue.head === queue.transactions.length) this.#bySender.delete(sender);
    else if (queue.head > SLACK && queue.head * 2 > queue.transactions.length) {
      queue.transactions = queue.transactions.slice(queue.head);
      queue.head = 0;
    }
  }

  #cursor(
    { transactions, head }: SenderQueue,
    allowed: (transaction: PendingTransaction) => boolean,
  ): { next: PendingTransaction | undefined; advance(): void } {
    let at = head - 1;
    const cursor = {
      next: undefined as PendingTransaction | undefined,
      advance: () => {
        do at += 1;
        while (at < transactions.length && !isOpen(transactions[at], allowed));
        cursor.next = transactions[at];
      },
    };
    cursor.advance();
    return cursor;
  }
}

const isOpen = (
  transaction: PendingTransaction | undefined,
  allowed: (transaction: PendingTransaction) => boolean,
): boolean => transaction !== undefined && transaction.waiting && allowed(transaction);
