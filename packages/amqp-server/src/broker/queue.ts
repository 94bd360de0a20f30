import { encodeHeaders } from '../wire/content-header.js';
import { type FieldTable } from '../wire/spec.js';
import { AlarmClock } from './alarm-clock.js';
import { ConsumerSet, type QueueConsumer } from './consumer-set.js';
import { type HeldBytes } from './held-bytes.js';
import { type MemoryGauge } from './memory-gauge.js';
import { type Message } from './message.js';
import { MessageStore, type QueueEntry } from './message-store.js';
import { type ServerCounters } from './metrics.js';
import { type QueueArguments, type QueueFlags } from './queue-arguments.js';

/** Why a message left a queue other than to a consumer; the `reason` of x-death. */
export type DeadLetterReason = 'rejected' | 'expired' | 'maxlen' | 'delivery_limit';

/** What a queue needs of its surroundings. */
export interface QueueHost {
  readonly gauge: MemoryGauge;
  readonly counters: ServerCounters;
  /** Sends a message to the dead letter exchange of the queue, if it has one. */
  deadLetter(message: Message, queue: Queue, reason: DeadLetterReason): void;
  /** Deletes the queue because it is unused (auto-delete, x-expires). */
  deleteQueue(queue: Queue): void;
}

/** What a queue is declared with. */
export interface QueueDeclaration {
  readonly name: string;
  readonly flags: QueueFlags;
  readonly arguments: QueueArguments;
  readonly table: FieldTable;
  /** The connection an exclusive queue belongs to. */
  readonly owner: object | undefined;
  /** The user who declared it. */
  readonly user: string;
  /** What waits in all queues of that user. */
  readonly held: HeldBytes;
}

/** A queue: ready messages, consumers, limits and expiry. All its work is done synchronously. */
export class Queue {
  readonly kind = 'queue';
  readonly name: string;
  readonly declaration: QueueDeclaration;
  readonly arguments: QueueArguments;
  readonly consumers: ConsumerSet;
  deleted = false;
  /** Messages delivered and not yet acknowledged. */
  unacknowledged = 0;
  readonly #host: QueueHost;
  readonly #store: MessageStore;
  readonly #messageClock = new AlarmClock(() => this.dispatch());
  readonly #idleClock = new AlarmClock(() => this.#expireWhenIdle());
  #nextPosition = 0;
  #lastUsed = 0;

  constructor(declaration: QueueDeclaration, host: QueueHost) {
    this.name = declaration.name;
    this.declaration = declaration;
    this.arguments = declaration.arguments;
    this.consumers = new ConsumerSet(this.arguments.singleActiveConsumer);
    this.#store = new MessageStore(this.arguments.maxPriority);
    this.#host = host;
    this.touch();
  }

  /** Messages ready for delivery. */
  get ready(): number {
    return this.#store.length;
  }

  /** Octets of the bodies ready for delivery. */
  get readyBytes(): number {
    return this.#store.bytes;
  }

  /** Takes a message in. Returns false when the queue is full and refuses new messages (x-overflow). */
  publish(message: Message): boolean {
    const { overflow } = this.arguments;
    if (overflow !== 'drop-head' && this.#overflows(1, message.bodySize)) {
      if (overflow === 'reject-publish-dlx') this.#host.deadLetter(message, this, 'maxlen');
      return false;
    }
    if (!this.#hasRoom(message)) {
      if (overflow !== 'drop-head') return false;
      this.#host.counters.dropped++;
      this.#host.deadLetter(message, this, 'maxlen');
      return true;
    }
    const consumer = this.#store.length === 0 ? this.consumers.nextReady() : undefined;
    if (consumer?.noAck === true) {
      this.#host.counters.delivered++;
      consumer.send(message, false);
      return true;
    }
    const entry = this.#enter(message);
    if (consumer !== undefined) {
      this.#hand(consumer, entry);
      return true;
    }
    this.#store.push(entry);
    // Where messages wait already for a consumer, none is ready: there is nothing to hand out, only limits to keep.
    if (this.#store.length === 1 || entry.expiresAt !== 0) this.#afterChange();
    else this.#trim();
    return true;
  }

  /** Hands ready messages to ready consumers until one of them runs out. */
  dispatch(): void {
    while (this.#store.length > 0) {
      this.#expireHead();
      const consumer = this.#store.length > 0 ? this.consumers.nextReady() : undefined;
      const entry = consumer === undefined ? undefined : this.#store.shift();
      if (consumer === undefined || entry === undefined) break;
      this.#hand(consumer, entry);
    }
    this.#watchHead();
  }

  /** Takes the first message for basic.get; the caller acknowledges or requeues it. */
  take(): QueueEntry | undefined {
    this.touch();
    this.#expireHead();
    const entry = this.#store.shift();
    if (entry === undefined) return undefined;
    this.unacknowledged++;
    this.#countDelivery(entry);
    return entry;
  }

  /** The message as the consumer is to see it: redelivered messages of a quorum queue carry x-delivery-count. */
  outgoing(entry: QueueEntry): Message {
    if (entry.returns === 0 || this.arguments.type !== 'quorum') return entry.message;
    const header = entry.message.header();
    const headers = header.headers().set('x-delivery-count', { type: 'l', value: entry.returns });
    return entry.message.with(entry.message.route, header.rewrite(new Map([['headers', encodeHeaders(headers)]])));
  }

  /** A message was acknowledged. */
  acknowledge(entry: QueueEntry): void {
    this.unacknowledged--;
    this.#host.counters.acknowledged++;
    this.#leave(entry);
  }

  /** A message was rejected and is not to come back. */
  reject(entry: QueueEntry): void {
    this.unacknowledged--;
    if (!this.deleted) this.#host.deadLetter(entry.message, this, 'rejected');
    this.#leave(entry);
  }

  /** Messages come back to their places, except those over the delivery limit. The caller dispatches afterwards. */
  putBack(entries: readonly QueueEntry[]): void {
    this.unacknowledged -= entries.length;
    const limit = this.arguments.deliveryLimit ?? Infinity;
    const kept: QueueEntry[] = [];
    for (const entry of entries) {
      entry.redelivered = true;
      entry.returns++;
      if (this.deleted) this.#leave(entry);
      else if (entry.returns > limit) {
        this.#host.deadLetter(entry.message, this, 'delivery_limit');
        this.#leave(entry);
      } else kept.push(entry);
    }
    if (kept.length > 0) this.#store.putBack(kept);
    this.#trim();
  }

  /** Drops all ready messages; returns how many there were. */
  purge(): number {
    const count = this.#store.length;
    for (let entry = this.#store.shift(); entry !== undefined; entry = this.#store.shift()) this.#leave(entry);
    this.#messageClock.stop();
    return count;
  }

  addConsumer(consumer: QueueConsumer): void {
    this.consumers.add(consumer);
    this.#idleClock.stop();
  }

  /** Removes a consumer; an auto-delete queue goes with its last one. */
  removeConsumer(consumer: QueueConsumer): void {
    this.consumers.delete(consumer);
    this.touch();
    if (this.consumers.size === 0 && this.declaration.flags.autoDelete && !this.deleted) this.#host.deleteQueue(this);
  }

  /** The queue was used (declared, fetched from): x-expires starts again. */
  touch(): void {
    const { expires } = this.arguments;
    if (expires === undefined || this.deleted) return;
    this.#lastUsed = performance.now();
    if (this.consumers.size === 0) this.#idleClock.ringBy(this.#lastUsed + expires);
  }

  /** Ends the queue: messages are dropped, consumers told. Called by the virtual host only. */
  destroy(): void {
    this.deleted = true;
    this.purge();
    this.#idleClock.stop();
    for (const consumer of this.consumers.clear()) consumer.queueDeleted();
  }

  #enter(message: Message): QueueEntry {
    if (message.references++ === 0) this.#host.gauge.add(message.size);
    this.declaration.held.add(message.bodySize);
    const ttl = Math.min(message.ttl ?? Infinity, this.arguments.messageTtl ?? Infinity);
    return {
      message,
      position: this.#nextPosition++,
      priority: message.priority,
      expiresAt: ttl === Infinity ? 0 : performance.now() + ttl,
      redelivered: false,
      returns: 0,
    };
  }

  #leave(entry: QueueEntry): void {
    this.declaration.held.subtract(entry.message.bodySize);
    if (--entry.message.references === 0) this.#host.gauge.subtract(entry.message.size);
  }

  #hand(consumer: QueueConsumer, entry: QueueEntry): void {
    this.#countDelivery(entry);
    if (consumer.noAck) {
      consumer.send(this.outgoing(entry), entry.redelivered);
      this.#leave(entry);
    } else {
      this.unacknowledged++;
      consumer.sendTracked(entry, this.outgoing(entry));
    }
  }

  #countDelivery(entry: QueueEntry): void {
    this.#host.counters.delivered++;
    if (entry.redelivered) this.#host.counters.redelivered++;
  }

  #afterChange(): void {
    this.#trim();
    this.dispatch();
  }

  #overflows(moreMessages: number, moreBytes: number): boolean {
    const { maxLength, maxLengthBytes } = this.arguments;
    if (maxLength !== undefined && this.#store.length + moreMessages > maxLength) return true;
    return maxLengthBytes !== undefined && this.#store.bytes + moreBytes > maxLengthBytes;
  }

  /** Whether the user of the queue may hold one more; a queue that gives up its oldest messages makes room with them. */
  #hasRoom({ bodySize }: Message): boolean {
    const { held } = this.declaration;
    while (!held.fits(bodySize) && this.arguments.overflow === 'drop-head' && this.#dropOldest());
    return held.fits(bodySize);
  }

  #trim(): void {
    if (this.arguments.overflow !== 'drop-head') return;
    while (this.#overflows(0, 0) && this.#dropOldest());
  }

  /** False where nothing was ready. */
  #dropOldest(): boolean {
    const entry = this.#store.dropOldest();
    if (entry === undefined) return false;
    this.#host.counters.dropped++;
    this.#host.deadLetter(entry.message, this, 'maxlen');
    this.#leave(entry);
    return true;
  }

  /** Messages expire at the head of the queue only, as in RabbitMQ. */
  #expireHead(): void {
    for (let head = this.#store.peek(); head !== undefined && head.expiresAt !== 0; head = this.#store.peek()) {
      if (head.expiresAt > performance.now()) return;
      this.#store.shift();
      this.#host.counters.expired++;
      this.#host.deadLetter(head.message, this, 'expired');
      this.#leave(head);
    }
  }

  #watchHead(): void {
    const head = this.#store.peek();
    if (head !== undefined && head.expiresAt !== 0) this.#messageClock.ringBy(head.expiresAt);
  }

  #expireWhenIdle(): void {
    const { expires } = this.arguments;
    if (this.deleted || expires === undefined || this.consumers.size > 0) return;
    if (performance.now() - this.#lastUsed >= expires) this.#host.deleteQueue(this);
    else this.#idleClock.ringBy(this.#lastUsed + expires);
  }
}
