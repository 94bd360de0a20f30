import type { Message } from 'amqplib';
import { encodeError, failure, messageOf, type Clock, type IncomingRequest, type Log } from '@it-chain/contracts';
import { within } from './clock.js';
import { cameThrough, metaOf, textOf } from './properties.js';
import { InHand, type Binding } from './registration.js';
import type { Session } from './session.js';
import type { Topology } from './topology.js';

/** AMQP's code for a queue that is exclusive to another connection. */
const RESOURCE_LOCKED = 405;
/** Begins the address of whoever asked with direct reply-to. */
const REPLY_ADDRESS = 'amq.rabbitmq.reply-to.';

/** What a provider serves. */
export interface RoleBindingOptions {
  readonly role: string;
  readonly addresses: readonly string[];
  readonly maxHandling: number;
  readonly maxMessageBytes: number;
}

/** The provider's side of a role: one exclusive queue, one routing key for each call. */
export class RoleBinding implements Binding {
  readonly #options: RoleBindingOptions;
  readonly #handler: (request: IncomingRequest) => Promise<Uint8Array>;
  readonly #topology: Topology;
  readonly #clock: Clock;
  readonly #log: Log;
  /** The requests in hand, by {@link keyOf}. */
  #ids = new Set<string>();
  readonly #inHand = new InHand();
  #session: Session | undefined;
  #tag: string | undefined;

  constructor(
    options: RoleBindingOptions,
    dependencies: {
      readonly handler: (request: IncomingRequest) => Promise<Uint8Array>;
      readonly topology: Topology;
      readonly clock: Clock;
      readonly log: Log;
    },
  ) {
    this.#options = options;
    this.#handler = dependencies.handler;
    this.#topology = dependencies.topology;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
  }

  get role(): string {
    return this.#options.role;
  }

  async attach(session: Session): Promise<void> {
    const { role, addresses } = this.#options;
    const queue = this.#topology.roleQueue(role);
    try {
      await session.declare((channel) => channel.assertQueue(queue, this.#topology.exclusive()));
    } catch (error) {
      if ((error as { code?: number }).code !== RESOURCE_LOCKED) throw error;
      throw failure('ERR_ROLE_TAKEN', `the role ${role} is served by another process`);
    }
    this.#session = session;
    this.#ids = new Set();
    const { consumerTag } = await session.fast.consume(
      queue,
      (message) => {
        if (message !== null) this.#onMessage(session, message);
        else session.end(`the broker cancelled the consumer of ${queue}`);
      },
      { noAck: true },
    );
    this.#tag = consumerTag;
    // Consumed before it can be reached, so that a request that is routed is also received.
    await session.fast.bindQueue(queue, this.#topology.rpc, this.#topology.probeKey(role));
    for (const address of addresses) await session.fast.bindQueue(queue, this.#topology.rpc, address);
  }

  lost(): void {
    this.#session = undefined;
  }

  /** New requests are returned from here on; the probe is answered until what is in hand is finished. */
  async detach(timeoutMs: number): Promise<void> {
    const session = this.#session;
    if (session === undefined || session.isLost) return;
    const { role, addresses } = this.#options;
    const queue = this.#topology.roleQueue(role);
    for (const address of addresses) await session.fast.unbindQueue(queue, this.#topology.rpc, address);
    await within(this.#clock, timeoutMs, this.#inHand.whenIdle());
    if (this.#tag !== undefined) await session.fast.cancel(this.#tag);
    await session.fast.deleteQueue(queue);
    this.#session = undefined;
  }

  #onMessage(session: Session, message: Message): void {
    if (session !== this.#session || !cameThrough(this.#topology.rpc, message)) return;
    const { properties, content } = message;
    const replyTo = textOf(properties.replyTo);
    const id = textOf(properties.correlationId);
    // Whoever asks may not answer by queue names: this side may, and would put the answer into any queue for it.
    if (replyTo?.startsWith(REPLY_ADDRESS) !== true || id === undefined) {
      this.#log.debug('a request without a reply address or correlation-id was dropped', { role: this.#options.role });
      return;
    }
    if (properties.type === 'probe') {
      const asked = content.length === 0 ? [] : content.toString('latin1').split('\n');
      const unknown = asked.filter((one) => !this.#ids.has(keyOf(replyTo, one)));
      this.#reply(session, replyTo, id, 'probe', Buffer.from(unknown.join('\n'), 'latin1'));
      return;
    }
    void this.#handle(session, message, replyTo, id);
  }

  async #handle(session: Session, message: Message, replyTo: string, id: string): Promise<void> {
    const address = message.fields.routingKey;
    const ids = this.#ids;
    const key = keyOf(replyTo, id);
    ids.add(key);
    this.#inHand.begin();
    let body: Uint8Array;
    let type = 'answer';
    try {
      // Counted one by one: ids are the asker's, who may use one for all.
      if (this.#inHand.count > this.#options.maxHandling) {
        throw failure('ERR_BUS_FULL', `${this.#inHand.count - 1} requests are with ${this.#options.role} already`, {
          retryable: true,
        });
      }
      const timeoutMs = Number(message.properties.expiration);
      body = await this.#handler({
        ...metaOf(message),
        address,
        body: message.content,
        timeoutMs: Number.isFinite(timeoutMs) && timeoutMs > 0 ? timeoutMs : 1,
      });
      if (body.length > this.#options.maxMessageBytes) {
        throw failure('ERR_BUS_MESSAGE_TOO_LARGE', `the answer of ${address} has ${body.length} bytes`);
      }
    } catch (error) {
      body = encodeError(error);
      type = 'error';
    }
    this.#reply(session, replyTo, id, type, asBuffer(body));
    ids.delete(key);
    this.#inHand.end();
  }

  #reply(session: Session, replyTo: string, correlationId: string, type: string, body: Buffer): void {
    if (session.isLost) return;
    const contentType = type === 'error' ? 'application/json' : 'application/protobuf';
    try {
      session.direct.publish('', replyTo, body, { correlationId, type, contentType });
    } catch (error) {
      // The connection is being lost; the caller's connection or its probe tells it.
      this.#log.debug('an answer could not be sent', { role: this.#options.role, reason: messageOf(error) });
    }
  }
}

/** A request by who asked and its correlation id: nobody takes another's request out of hand by using its id. */
const keyOf = (replyTo: string, id: string): string => `${replyTo} ${id}`;

/** The same bytes as a Buffer, not copied. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
