import type { Channel, Message, Options } from 'amqplib';
import { messageOf, type Cancel, type Clock, type IncomingMessage, type Log } from '@it-chain/contracts';
import { within } from './clock.js';
import { cameThrough, deliveryCountOf, incomingOf, mayBeRepeated } from './properties.js';
import { InHand, type Binding } from './registration.js';
import { SeenIds } from './seen-ids.js';
import type { Session } from './session.js';

/** How often a message comes again after its handler failed, before it is a dead letter. */
const MAX_REDELIVERIES = 5;

/** What a worker works on. */
export interface WorkBindingOptions {
  readonly queue: string;
  readonly declaration: Options.AssertQueue;
  /** Bindings of the queue; none for tasks, which are sent to it by name. */
  readonly exchange?: string | undefined;
  /** The address of the tasks of this queue. */
  readonly task?: string | undefined;
  readonly addresses: readonly string[];
  readonly concurrency: number;
  readonly retryDelayMs: number;
}

/**
 * A worker on a durable queue: a message is acknowledged when its handler has succeeded. A failed one is tried again
 * here, with growing pauses, while it stays unacknowledged: so its order holds on every version of every broker, and
 * only a crash gives it back to the broker, which counts those (x-delivery-limit).
 */
export class WorkBinding implements Binding {
  readonly #options: WorkBindingOptions;
  readonly #handler: (message: IncomingMessage) => Promise<void>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onDead: () => void;
  readonly #seen = new SeenIds();
  readonly #inHand = new InHand();
  #channel: Channel | undefined;
  #tag = '';
  #pauses = new Map<Cancel, () => void>();

  constructor(
    options: WorkBindingOptions,
    dependencies: {
      readonly handler: (message: IncomingMessage) => Promise<void>;
      readonly clock: Clock;
      readonly log: Log;
      readonly onDead: () => void;
    },
  ) {
    this.#options = options;
    this.#handler = dependencies.handler;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#onDead = dependencies.onDead;
  }

  async attach(session: Session): Promise<void> {
    const { queue, declaration, exchange, addresses, concurrency } = this.#options;
    await session.declare(async (channel) => {
      await channel.assertQueue(queue, declaration);
      if (exchange !== undefined) for (const address of addresses) await channel.bindQueue(queue, exchange, address);
    });
    const channel = await session.openChannel();
    await channel.prefetch(concurrency);
    this.#channel = channel;
    const { consumerTag } = await channel.consume(queue, (message) => {
      if (message !== null) void this.#onMessage(channel, message);
      else session.end(`the broker cancelled the consumer of ${queue}`);
    });
    this.#tag = consumerTag;
  }

  lost(): void {
    this.#channel = undefined;
    this.#endPauses();
  }

  async detach(timeoutMs: number): Promise<void> {
    const channel = this.#channel;
    if (channel === undefined) return;
    if (timeoutMs > 0) await channel.cancel(this.#tag);
    this.#channel = undefined;
    this.#endPauses();
    await within(this.#clock, timeoutMs, this.#inHand.whenIdle());
    // What is still unacknowledged goes back to the queue with the channel.
    await channel.close();
  }

  async #onMessage(channel: Channel, message: Message): Promise<void> {
    const repeated = mayBeRepeated(message);
    const { exchange, task } = this.#options;
    const incoming = incomingOf(message, repeated, task);
    if (this.#seen.isRepeated(incoming) || (exchange !== undefined && !cameThrough(exchange, message))) {
      this.#settle(() => {
        channel.ack(message);
      });
      return;
    }
    this.#inHand.begin();
    const done = await this.#tryAll(channel, incoming, deliveryCountOf(message));
    this.#settle(() => {
      if (done === 'done') channel.ack(message);
      else if (done === 'dead') channel.reject(message, false);
      else channel.nack(message, false, true);
    });
    if (done === 'done') this.#seen.add(incoming.messageId);
    if (done === 'dead') {
      this.#log.error('a message failed too often and is a dead letter', {
        address: incoming.address,
        messageId: incoming.messageId,
      });
      this.#onDead();
    }
    this.#inHand.end();
  }

  async #tryAll(channel: Channel, message: IncomingMessage, before: number): Promise<'done' | 'dead' | 'given-back'> {
    let again = message.redelivered;
    for (let failures = before; ;) {
      try {
        await this.#handler(again ? { ...message, redelivered: true } : message);
        return 'done';
      } catch (error) {
        failures += 1;
        again = true;
        const { address, messageId } = message;
        this.#log.warn('a message was not handled', { address, messageId, failures, reason: messageOf(error) });
      }
      if (failures > MAX_REDELIVERIES) return 'dead';
      if (channel === this.#channel) await this.#pause(this.#options.retryDelayMs * 2 ** (failures - 1));
      if (channel !== this.#channel) return 'given-back';
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, () => {
        this.#pauses.delete(cancel);
        resolve();
      });
      this.#pauses.set(cancel, resolve);
    });
  }

  #endPauses(): void {
    for (const [cancel, resolve] of this.#pauses) {
      cancel();
      resolve();
    }
    this.#pauses = new Map();
  }

  #settle(run: () => void): void {
    try {
      run();
    } catch (error) {
      // The channel is gone: the broker gives the message to somebody again, and the id is remembered here.
      this.#log.debug('a message could not be acknowledged', { reason: messageOf(error) });
    }
  }
}
