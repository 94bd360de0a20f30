import { randomBytes } from 'node:crypto';
import { type ConsumerSettings, Consumer } from './consumer.js';
import { type DecodedMethod, decodeMethod } from '../wire/method-codec.js';
import { ReplyError, shortText } from '../wire/reply-error.js';
import { FRAME, methodKey } from '../wire/spec.js';
import { type ChannelContext } from './channel-context.js';
import { handleBasic } from './basic-methods.js';
import { DeliveryLedger } from './delivery-ledger.js';
import { handleExchange } from './exchange-methods.js';
import { Publisher } from './publisher.js';
import { handleQueue } from './queue-methods.js';
import { type Session } from './session.js';

const PUBLISH = methodKey(60, 40);
const ACK = methodKey(60, 80);
const METHOD_HEAD = 4;

/** One channel of an open connection. */
export class Channel implements ChannelContext {
  readonly id: number;
  readonly session: Session;
  readonly publisher: Publisher;
  readonly ledger = new DeliveryLedger();
  readonly consumers = new Map<string, Consumer>();
  /** Limit for consumers made from now on (qos without the global flag); 0 for none. */
  prefetch = 0;
  /** The queue declared last, which an empty queue name stands for. */
  lastQueue: string | undefined;
  #closing = false;

  constructor(id: number, session: Session) {
    this.id = id;
    this.session = session;
    this.publisher = new Publisher(session, id);
  }

  /** Handles one frame. Throws a ReplyError for what the client did wrong. */
  frame(type: number, bytes: Buffer, start: number, end: number): void {
    if (this.#closing) {
      this.#frameWhileClosing(type, bytes, start, end);
      return;
    }
    if (type === FRAME.body) this.publisher.body(bytes, start, end);
    else if (type === FRAME.header) this.publisher.header(bytes, start, end);
    else this.#method(bytes, start, end);
  }

  #method(bytes: Buffer, start: number, end: number): void {
    if (end - start < METHOD_HEAD) throw new ReplyError('SYNTAX_ERROR', 'method frame shorter than its ids');
    const key = bytes.readUInt32BE(start);
    if (this.publisher.expectsContent) throw new ReplyError('UNEXPECTED_FRAME', 'method instead of expected content');
    if (key === PUBLISH) {
      this.publisher.publish(bytes, start, end);
      return;
    }
    if (key === ACK && end - start === METHOD_HEAD + 9) {
      const tag = bytes.readUInt32BE(start + 4) * 0x100000000 + bytes.readUInt32BE(start + 8);
      this.settled(() => this.ledger.settle(tag, (bytes.readUInt8(start + 12) & 1) === 1, 'acknowledge'));
      return;
    }
    const method = decodeMethod(bytes, start, end);
    if (method === undefined) {
      throw new ReplyError('INTERNAL_ERROR', `unknown method ${key >>> 16}.${key & 0xffff}`);
    }
    this.#handle(method);
  }

  /** Runs something that may free prefetch of the whole channel, then asks the queues of all its consumers. */
  settled(action: () => void): void {
    action();
    if (this.ledger.globalPrefetch !== 0) this.dispatch();
  }

  /** Asks the queues of all consumers for messages. */
  dispatch(): void {
    for (const queue of new Set([...this.consumers.values()].map((consumer) => consumer.queue))) queue.dispatch();
  }

  #handle(method: DecodedMethod): void {
    const { output } = this.session;
    const { name } = method;
    if (handleBasic(this, method) || handleQueue(this, method) || handleExchange(this, method)) return;
    switch (name) {
      case 'channel.close':
        this.release();
        output.method(this.id, 'channel.closeOk', {});
        this.session.channelClosed(this.id);
        return;
      case 'channel.flow':
        if (!method.arguments.active) throw new ReplyError('NOT_IMPLEMENTED', 'channel.flow with active=false');
        output.method(this.id, 'channel.flowOk', { active: true });
        return;
      case 'confirm.select':
        this.publisher.enableConfirms();
        if (!method.arguments.nowait) output.method(this.id, 'confirm.selectOk', {});
        return;
      case 'access.request':
        output.method(this.id, 'access.requestOk', { ticket: 1 });
        return;
      case 'channel.open':
        throw new ReplyError('CHANNEL_ERROR', `channel ${this.id} is open already`);
      case 'tx.select':
      case 'tx.commit':
      case 'tx.rollback':
        throw new ReplyError('NOT_IMPLEMENTED', `${name}: transactions are not supported; use publisher confirms`);
      default:
        throw new ReplyError('COMMAND_INVALID', `${name} is not for the server, or not for a channel`);
    }
  }

  /** Starts a consumer; the queue is dispatched by the caller, after consume-ok. */
  addConsumer(settings: ConsumerSettings): Consumer {
    const consumer = new Consumer(settings, this.session, this.id, this.ledger, (lost) => this.#consumerLost(lost));
    this.consumers.set(consumer.tag, consumer);
    return consumer;
  }

  /** A consumer tag of the server's choice. */
  newConsumerTag(): string {
    return `amq.ctag-${randomBytes(16).toString('base64url')}`;
  }

  #consumerLost(consumer: Consumer): void {
    this.consumers.delete(consumer.tag);
    if (!this.session.consumerCancelNotify) return;
    this.session.output.method(this.id, 'basic.cancel', { consumerTag: consumer.tag, nowait: true });
  }

  /** Tells the client that the channel is closed because of an error, and waits for its answer. */
  closeWithError(error: ReplyError, classId: number, methodId: number): void {
    this.release();
    this.#closing = true;
    this.session.services.counters.channelErrors++;
    const replyText = shortText(error.message);
    this.session.output.method(this.id, 'channel.close', {
      replyCode: error.replyCode,
      replyText,
      classId,
      methodId,
    });
  }

  #frameWhileClosing(type: number, bytes: Buffer, start: number, end: number): void {
    if (type !== FRAME.method || end - start < METHOD_HEAD) return;
    const key = bytes.readUInt32BE(start);
    if (key === methodKey(20, 40)) this.session.output.method(this.id, 'channel.closeOk', {});
    else if (key !== methodKey(20, 41)) return;
    this.session.channelClosed(this.id);
  }

  /** Ends consumers and gives unacknowledged messages back. Confirms go out first: none may follow close-ok. */
  release(): void {
    this.publisher.flushConfirms();
    this.publisher.abort();
    const consumers = [...this.consumers.values()];
    this.consumers.clear();
    const { vhost } = this.session;
    const { replyAddress } = this.publisher;
    if (replyAddress !== undefined) {
      vhost.replyQueues.get(replyAddress)?.purge();
      vhost.replyQueues.delete(replyAddress);
    }
    // Messages go back before an auto-delete queue follows its last consumer, and not to the consumers that leave.
    for (const consumer of consumers) consumer.queue.consumers.delete(consumer);
    this.ledger.requeueAll();
    for (const consumer of consumers) {
      consumer.queue.removeConsumer(consumer);
      consumer.queue.dispatch();
    }
  }
}
