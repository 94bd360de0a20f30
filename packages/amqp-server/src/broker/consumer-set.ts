import { type QueueEntry } from './message-store.js';
import { type Message } from './message.js';

/** What a queue needs to know of a consumer. */
export interface QueueConsumer {
  readonly tag: string;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  /** Consumers of higher priority are served first (x-priority). */
  readonly priority: number;
  /** Whether it can take a message now: prefetch not used up, output not full. */
  isReady(): boolean;
  /** Sends a message that needs no acknowledgement. */
  send(message: Message, redelivered: boolean): void;
  /** Sends a message and remembers it until it is acknowledged or returned. */
  sendTracked(entry: QueueEntry, message: Message): void;
  /** The queue is gone. */
  queueDeleted(): void;
}

interface Group {
  readonly priority: number;
  readonly consumers: QueueConsumer[];
  next: number;
}

/** The consumers of one queue: by priority, round robin among equals, or only the first (single active consumer). */
export class ConsumerSet {
  readonly #groups: Group[] = [];
  readonly #single: boolean;
  #active: QueueConsumer | undefined;
  size = 0;

  constructor(singleActive: boolean) {
    this.#single = singleActive;
  }

  add(consumer: QueueConsumer): void {
    this.size++;
    const at = this.#groups.findIndex((group) => group.priority <= consumer.priority);
    const group = this.#groups[at];
    if (group?.priority === consumer.priority) group.consumers.push(consumer);
    else {
      const added = { priority: consumer.priority, consumers: [consumer], next: 0 };
      this.#groups.splice(at < 0 ? this.#groups.length : at, 0, added);
    }
    this.#active ??= consumer;
  }

  delete(consumer: QueueConsumer): void {
    const at = this.#groups.findIndex((group) => group.priority === consumer.priority);
    const group = this.#groups[at];
    const index = group?.consumers.indexOf(consumer) ?? -1;
    if (group === undefined || index < 0) return;
    group.consumers.splice(index, 1);
    this.size--;
    if (index < group.next) group.next--;
    if (group.consumers.length === 0) this.#groups.splice(at, 1);
    if (this.#active === consumer) this.#active = this.#groups[0]?.consumers[0];
  }

  /** The next consumer that can take a message. */
  nextReady(): QueueConsumer | undefined {
    if (this.#single) return this.#active?.isReady() === true ? this.#active : undefined;
    for (const group of this.#groups) {
      const count = group.consumers.length;
      for (let i = 0; i < count; i++) {
        const index = (group.next + i) % count;
        const consumer = group.consumers[index];
        if (consumer?.isReady() !== true) continue;
        group.next = index + 1;
        return consumer;
      }
    }
    return undefined;
  }

  some(test: (consumer: QueueConsumer) => boolean): boolean {
    return this.#groups.some((group) => group.consumers.some(test));
  }

  /** Removes and returns all. */
  clear(): QueueConsumer[] {
    const all = this.#groups.flatMap((group) => group.consumers);
    this.#groups.length = 0;
    this.#active = undefined;
    this.size = 0;
    return all;
  }
}
