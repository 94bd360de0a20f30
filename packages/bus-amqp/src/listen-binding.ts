import type { Message } from 'amqplib';
import { messageOf, type IncomingMessage, type Log } from '@it-chain/contracts';
import { cameThrough, incomingOf, mayBeRepeated } from './properties.js';
import { InHand, type Binding } from './registration.js';
import type { Session } from './session.js';
import type { Topology } from './topology.js';
import type { SeenIds } from './seen-ids.js';

/** What a listener listens to. */
export interface ListenBindingOptions {
  readonly exchange: string;
  readonly addresses: readonly string[];
  /** Messages not handled; then the oldest is dropped. */
  readonly maxQueued: number;
  /** The same limit in the broker, should this process not read: a guard of the broker's memory. */
  readonly maxInBroker: number;
}

/**
 * A listener with an exclusive queue, for events and transient messages. The broker hands over at once, without
 * acknowledgements; what is not handled yet waits here, in a bounded queue that drops its oldest.
 */
export class ListenBinding implements Binding {
  readonly #options: ListenBindingOptions;
  readonly #handler: (message: IncomingMessage) => void | Promise<void>;
  readonly #topology: Topology;
  readonly #log: Log;
  readonly #seen: SeenIds | undefined;
  readonly #onDrop: () => void;
  readonly #inHand = new InHand();
  #queue: IncomingMessage[] = [];
  #head = 0;
  #session: Session | undefined;
  #name = '';
  #tag = '';
  #closed = false;

  constructor(
    options: ListenBindingOptions,
    dependencies: {
      readonly handler: (message: IncomingMessage) => void | Promise<void>;
      readonly topology: Topology;
      readonly log: Log;
      /** For events, which are sent again after a lost connection. */
      readonly seen: SeenIds | undefined;
      readonly onDrop: () => void;
    },
  ) {
    this.#options = options;
    this.#handler = dependencies.handler;
    this.#topology = dependencies.topology;
    this.#log = dependencies.log;
    this.#seen = dependencies.seen;
    this.#onDrop = dependencies.onDrop;
  }

  async attach(session: Session): Promise<void> {
    const { exchange, addresses, maxInBroker } = this.#options;
    const { queue } = await session.fast.assertQueue('', this.#topology.exclusive(maxInBroker));
    const { consumerTag } = await session.fast.consume(
      queue,
      (message) => {
        if (message !== null) this.#onMessage(message);
        else session.end('the broker cancelled the consumer of a listener');
      },
      { noAck: true },
    );
    for (const address of addresses) await session.fast.bindQueue(queue, exchange, address);
    this.#session = session;
    this.#name = queue;
    this.#tag = consumerTag;
  }

  lost(): void {
    this.#session = undefined;
  }

  async detach(timeoutMs: number): Promise<void> {
    this.#closed = true;
    this.#queue = [];
    this.#head = 0;
    const session = this.#session;
    this.#session = undefined;
    if (session === undefined || session.isLost || timeoutMs <= 0) return;
    await session.fast.cancel(this.#tag);
    await session.fast.deleteQueue(this.#name);
  }

  /** Resolves when no handler is running. */
  whenIdle(): Promise<void> {
    return this.#inHand.whenIdle();
  }

  #onMessage(message: Message): void {
    if (this.#closed || !cameThrough(this.#options.exchange, message)) return;
    const incoming = incomingOf(message, mayBeRepeated(message));
    if (this.#seen?.isRepeated(incoming) === true) return;
    this.#seen?.add(incoming.messageId);
    this.#queue.push(incoming);
    if (this.#queue.length - this.#head > this.#options.maxQueued) {
      this.#shift();
      this.#onDrop();
    }
    if (this.#inHand.count === 0) void this.#drain();
  }

  async #drain(): Promise<void> {
    this.#inHand.begin();
    for (let message = this.#shift(); message !== undefined; message = this.#shift()) {
      try {
        await this.#handler(message);
      } catch (error) {
        this.#log.warn('a listener failed', { address: message.address, reason: messageOf(error) });
      }
    }
    this.#inHand.end();
  }

  #shift(): IncomingMessage | undefined {
    const message = this.#queue[this.#head];
    if (message === undefined) return undefined;
    this.#head += 1;
    if (this.#head >= 1_024 || this.#head === this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return message;
  }
}
