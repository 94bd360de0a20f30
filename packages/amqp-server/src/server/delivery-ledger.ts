import { type QueueEntry } from '../broker/message-store.js';
import { type Queue } from '../broker/queue.js';
import { ReplyError } from '../wire/reply-error.js';

/** Whoever counts what it has not acknowledged: a consumer. */
export interface DeliveryCounter {
  unacknowledged: number;
}

interface Delivery {
  readonly entry: QueueEntry;
  readonly queue: Queue;
  /** Undefined for a message fetched by basic.get. */
  readonly consumer: DeliveryCounter | undefined;
}

/** What the client says about deliveries: done, bad for ever, or to be tried again. */
export type Settlement = 'acknowledge' | 'reject' | 'requeue';

/** The unacknowledged deliveries of one channel, by delivery tag in the order they were sent. */
export class DeliveryLedger {
  /** Limit for the whole channel (qos with the global flag); 0 for none. */
  globalPrefetch = 0;
  readonly #deliveries = new Map<number, Delivery>();
  #lastTag = 0;

  /** Number of unacknowledged deliveries. */
  get size(): number {
    return this.#deliveries.size;
  }

  isFull(): boolean {
    return this.globalPrefetch !== 0 && this.#deliveries.size >= this.globalPrefetch;
  }

  nextTag(): number {
    return ++this.#lastTag;
  }

  /** Remembers a delivery and gives it its tag. */
  track(entry: QueueEntry, queue: Queue, consumer: DeliveryCounter | undefined): number {
    const tag = ++this.#lastTag;
    this.#deliveries.set(tag, { entry, queue, consumer });
    return tag;
  }

  /** Settles one delivery, or all up to the tag (0: all). Throws 406 for a tag that is not outstanding. */
  settle(tag: number, multiple: boolean, settlement: Settlement): void {
    if (multiple) {
      this.#settleUpTo(tag, settlement);
      return;
    }
    const delivery = this.#deliveries.get(tag);
    if (delivery === undefined) throw unknownTag(tag);
    this.#deliveries.delete(tag);
    if (delivery.consumer !== undefined) delivery.consumer.unacknowledged--;
    if (settlement === 'acknowledge') delivery.queue.acknowledge(delivery.entry);
    else if (settlement === 'reject') delivery.queue.reject(delivery.entry);
    else delivery.queue.putBack([delivery.entry]);
    delivery.queue.dispatch();
  }

  #settleUpTo(tag: number, settlement: Settlement): void {
    if (tag !== 0 && !this.#deliveries.has(tag)) throw unknownTag(tag);
    const settled: Delivery[] = [];
    for (const [current, delivery] of this.#deliveries) {
      if (tag !== 0 && current > tag) break;
      this.#deliveries.delete(current);
      settled.push(delivery);
    }
    for (const queue of this.#apply(settled, settlement)) queue.dispatch();
  }

  #apply(settled: readonly Delivery[], settlement: Settlement): Set<Queue> {
    const queues = new Set<Queue>();
    const returned = new Map<Queue, QueueEntry[]>();
    for (const { queue, entry, consumer } of settled) {
      queues.add(queue);
      if (consumer !== undefined) consumer.unacknowledged--;
      if (settlement === 'acknowledge') queue.acknowledge(entry);
      else if (settlement === 'reject') queue.reject(entry);
      else {
        const entries = returned.get(queue);
        if (entries === undefined) returned.set(queue, [entry]);
        else entries.push(entry);
      }
    }
    for (const [queue, entries] of returned) queue.putBack(entries);
    return queues;
  }

  /** Gives everything back to the queues (recover, closed channel). */
  requeueAll(): void {
    const settled = [...this.#deliveries.values()];
    this.#deliveries.clear();
    for (const queue of this.#apply(settled, 'requeue')) queue.dispatch();
  }
}

function unknownTag(tag: number): ReplyError {
  return new ReplyError('PRECONDITION_FAILED', `unknown delivery tag ${tag}`);
}
