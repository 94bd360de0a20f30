import { type QueueConsumer } from '../broker/consumer-set.js';
import { type QueueEntry } from '../broker/message-store.js';
import { type Message } from '../broker/message.js';
import { type Queue } from '../broker/queue.js';
import { deliverPrefix } from '../wire/output.js';
import { type DeliveryLedger } from './delivery-ledger.js';
import { type Session } from './session.js';

/** What basic.consume asked for. */
export interface ConsumerSettings {
  readonly tag: string;
  readonly queue: Queue;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly priority: number;
  /** Most unacknowledged messages; 0 for no limit. */
  readonly prefetch: number;
}

/** One consumer of a channel. */
export class Consumer implements QueueConsumer {
  readonly tag: string;
  readonly queue: Queue;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly priority: number;
  /** Delivered to it and not yet acknowledged. */
  unacknowledged = 0;
  readonly #prefetch: number;
  readonly #prefix: Buffer;
  readonly #session: Session;
  readonly #channel: number;
  readonly #ledger: DeliveryLedger;
  readonly #onQueueDeleted: (consumer: Consumer) => void;

  constructor(
    settings: ConsumerSettings,
    session: Session,
    channel: number,
    ledger: DeliveryLedger,
    onQueueDeleted: (consumer: Consumer) => void,
  ) {
    this.tag = settings.tag;
    this.queue = settings.queue;
    this.noAck = settings.noAck;
    this.exclusive = settings.exclusive;
    this.priority = settings.priority;
    this.#prefetch = settings.prefetch;
    this.#prefix = deliverPrefix(channel, settings.tag);
    this.#session = session;
    this.#channel = channel;
    this.#ledger = ledger;
    this.#onQueueDeleted = onQueueDeleted;
  }

  isReady(): boolean {
    if (!this.noAck) {
      if (this.#prefetch !== 0 && this.unacknowledged >= this.#prefetch) return false;
      if (this.#ledger.isFull()) return false;
    }
    return this.#session.canDeliver();
  }

  send(message: Message, redelivered: boolean): void {
    this.#session.output.deliver(this.#prefix, this.#channel, this.#ledger.nextTag(), redelivered, message);
  }

  sendTracked(entry: QueueEntry, message: Message): void {
    this.unacknowledged++;
    const tag = this.#ledger.track(entry, this.queue, this);
    this.#session.output.deliver(this.#prefix, this.#channel, tag, entry.redelivered, message);
  }

  queueDeleted(): void {
    this.#onQueueDeleted(this);
  }
}
