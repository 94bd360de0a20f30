import { type Duplex } from 'node:stream';
import { type VirtualHost } from '../broker/virtual-host.js';
import { FrameParser } from '../wire/frame-parser.js';
import { decodeMethod, type DecodedMethod } from '../wire/method-codec.js';
import { Output } from '../wire/output.js';
import { REPLY_CODES, ReplyError, shortText } from '../wire/reply-error.js';
import { type FieldTable, FRAME, PROTOCOL_HEADER } from '../wire/spec.js';
import { type KnownUser, type Peer } from './authenticator.js';
import { Channel } from './channel.js';
import { FlowControl } from './flow-control.js';
import { type Agreement, Handshake, hasCapability, LoginRefused } from './handshake.js';
import { Heartbeat } from './heartbeat.js';
import { type Services, type Session } from './session.js';

/** What the server is told of a connection's life. */
export interface ConnectionListener {
  opened(connection: Connection): void;
  closed(connection: Connection, reason: string): void;
}

/** Time for the client to end the stream after connection.close-ok. */
const LINGER_MS = 1000;

type State = 'header' | 'handshake' | 'refused' | 'open' | 'closing' | 'closed';

/** One connection: from the protocol header to the end of the stream. */
export class Connection implements Session {
  readonly output: Output;
  readonly channels = new Map<number, Channel>();
  clientProperties: FieldTable = new Map();
  consumerCancelNotify = false;
  #state: State = 'header';
  #agreement: Agreement | undefined;
  #greeting: Buffer = Buffer.alloc(0);
  #lastChannel: Channel | undefined;
  #reason = 'stream ended';
  #timer: NodeJS.Timeout | undefined;
  readonly #endOfInput: (() => void)[] = [];
  readonly #parser: FrameParser;
  readonly #handshake: Handshake;
  readonly #heartbeat = new Heartbeat();
  readonly #flow: FlowControl;

  constructor(
    readonly id: number,
    /** Where the client is, for logs. */
    readonly remote: string,
    readonly stream: Duplex,
    readonly services: Services,
    peer: Peer,
    readonly listener: ConnectionListener,
  ) {
    const { options } = services;
    this.output = new Output(stream, () => this.#flow.written());
    this.#parser = new FrameParser(options.frameMaxBeforeLogin, this.#onFrame);
    this.#handshake = new Handshake(services, this.output, peer);
    this.#flow = new FlowControl(this, this.#heartbeat);
    this.#timer = setTimeout(() => this.destroy('handshake timed out'), options.handshakeTimeoutMs);
    stream.on('data', (chunk: Buffer) => this.#onData(chunk));
    stream.on('end', () => this.destroy(this.#reason));
    stream.on('error', (error) => this.destroy(`stream failed: ${error.message}`));
    stream.on('close', () => this.destroy(this.#reason));
  }

  get user(): KnownUser {
    return this.#agreed().user;
  }

  get vhost(): VirtualHost {
    return this.#agreed().vhost;
  }

  /** User and virtual host, once known. */
  get identity(): Agreement | undefined {
    return this.#agreement;
  }

  /** Whether login and connection.open succeeded and nothing ended it yet. */
  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Whether it is over for the protocol, though the stream may still have to end. */
  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** Whether this connection waits for the memory alarm to end. */
  get isBlocked(): boolean {
    return this.#flow.blocked;
  }

  #agreed(): Agreement {
    if (this.#agreement === undefined) throw new TypeError('the connection is not open');
    return this.#agreement;
  }

  canDeliver(): boolean {
    return this.#flow.hasRoom();
  }

  notePublish(): void {
    this.#flow.published();
  }

  atEndOfInput(flush: () => void): void {
    this.#endOfInput.push(flush);
  }

  channelClosed(id: number): void {
    this.channels.delete(id);
    this.#lastChannel = undefined;
  }

  /** The memory alarm was raised or has ended. */
  memoryAlarm(alarm: boolean): void {
    if (this.isOpen) this.#flow.memoryAlarm(alarm);
  }

  /** Asks all queues with a consumer here for messages. */
  dispatch(): void {
    for (const channel of this.channels.values()) channel.dispatch();
  }

  #onData(chunk: Buffer): void {
    this.services.counters.octetsReceived += chunk.length;
    this.#heartbeat.heard = true;
    if (this.#state === 'closed') return;
    try {
      const rest = this.#state === 'header' ? this.#onGreeting(chunk) : chunk;
      if (rest !== undefined) this.#parser.push(rest);
    } catch (error) {
      this.#fail(error, 0, 0);
    }
    for (const flush of this.#endOfInput.splice(0)) flush();
    this.#flow.checkBacklog();
  }

  /** Waits for the eight octets that open a connection; answers anything else with them and closes (4.2.2). */
  #onGreeting(chunk: Buffer): Buffer | undefined {
    const greeting = this.#greeting.length === 0 ? chunk : Buffer.concat([this.#greeting, chunk]);
    const length = Math.min(greeting.length, PROTOCOL_HEADER.length);
    if (greeting.compare(PROTOCOL_HEADER, 0, length, 0, length) !== 0) {
      this.#reason = 'not AMQP 0-9-1';
      this.output.raw(PROTOCOL_HEADER);
      this.#finish();
      return undefined;
    }
    this.#greeting = greeting;
    if (greeting.length < PROTOCOL_HEADER.length) return undefined;
    this.#greeting = Buffer.alloc(0);
    this.#state = 'handshake';
    this.#handshake.begin();
    return greeting.subarray(PROTOCOL_HEADER.length);
  }

  readonly #onFrame = (type: number, channel: number, bytes: Buffer, start: number, end: number): void => {
    if (this.#state === 'closed' || this.#state === 'refused') return;
    const isMethod = type === FRAME.method;
    try {
      if (channel !== 0 && this.#state === 'open') this.#channelFrame(type, channel, bytes, start, end);
      else if (type === FRAME.heartbeat && channel === 0) return;
      else if (this.#state === 'closing') this.#frameWhileClosing(isMethod && channel === 0, bytes, start, end);
      else if (isMethod && channel === 0) this.#connectionMethod(bytes, start, end);
      else if (channel === 0) throw new ReplyError('UNEXPECTED_FRAME', `frame of type ${type} on channel 0`);
      else throw new ReplyError('CHANNEL_ERROR', `frame on channel ${channel} before the connection is open`);
    } catch (error) {
      const [classId, methodId] =
        isMethod && end - start >= 4 ? [bytes.readUInt16BE(start), bytes.readUInt16BE(start + 2)] : [0, 0];
      const open = this.channels.get(channel);
      if (error instanceof ReplyError && !error.hard && open !== undefined)
        open.closeWithError(error, classId, methodId);
      else this.#fail(error, classId, methodId);
    }
  };

  #channelFrame(type: number, id: number, bytes: Buffer, start: number, end: number): void {
    let channel = this.#lastChannel;
    if (channel?.id !== id) {
      channel = this.channels.get(id) ?? this.#openChannel(type, id, bytes, start, end);
      this.#lastChannel = channel;
      if (channel === undefined) return;
    }
    if (type === FRAME.heartbeat) throw new ReplyError('FRAME_ERROR', `heartbeat on channel ${id}`);
    channel.frame(type, bytes, start, end);
  }

  /** Handles the first frame of a channel; returns the channel only when the frame is still to be handled. */
  #openChannel(type: number, id: number, bytes: Buffer, start: number, end: number): Channel | undefined {
    const method = type === FRAME.method ? decodeMethod(bytes, start, end) : undefined;
    // The client's answer to a channel.close that crossed its own close.
    if (method?.name === 'channel.closeOk') return undefined;
    const { channelMax } = this.#agreed();
    const most = this.services.options.maxChannelsPerConnection;
    if (method?.name !== 'channel.open') throw new ReplyError('CHANNEL_ERROR', `channel ${id} is not open`);
    if (id > channelMax) throw new ReplyError('CHANNEL_ERROR', `channel ${id} is above channel_max ${channelMax}`);
    if (this.channels.size >= most)
      throw new ReplyError('NOT_ALLOWED', `limit of ${most} channels in a connection reached`);
    this.channels.set(id, new Channel(id, this));
    this.output.method(id, 'channel.openOk', { reserved1: Buffer.alloc(0) });
    return undefined;
  }

  #connectionMethod(bytes: Buffer, start: number, end: number): void {
    const method = decodeMethod(bytes, start, end);
    if (method === undefined) throw new ReplyError('INTERNAL_ERROR', 'unknown method on channel 0');
    if (method.name === 'connection.close') {
      this.#reason = 'closed by the client';
      this.#release();
      this.output.method(0, 'connection.closeOk', {});
      // The client ends the stream once it has read the answer; ending it first makes some clients (lapin) fail.
      this.#finish(LINGER_MS);
    } else if (this.#state === 'handshake') {
      const agreement = this.#handshake.handle(method);
      if (method.name === 'connection.tuneOk') this.#parser.maxFrame = this.services.options.frameMax;
      if (agreement !== undefined) this.#opened(agreement);
    } else this.#openMethod(method);
  }

  #openMethod(method: DecodedMethod): void {
    // RabbitMQ's own user database takes any new secret and changes nothing either: it is meant for tokens.
    if (method.name === 'connection.updateSecret') this.output.method(0, 'connection.updateSecretOk', {});
    else throw new ReplyError('COMMAND_INVALID', `${method.name} on an open connection`);
  }

  #opened(agreement: Agreement): void {
    clearTimeout(this.#timer);
    this.#state = 'open';
    this.#agreement = agreement;
    this.clientProperties = agreement.clientProperties;
    this.consumerCancelNotify = hasCapability(agreement.clientProperties, 'consumer_cancel_notify');
    this.#parser.maxFrame = this.output.frameMax = agreement.frameMax;
    this.#flow.opened({
      exempt: agreement.user.memoryAlarmExempt,
      tell: hasCapability(agreement.clientProperties, 'connection.blocked'),
      rate: agreement.user.publishRate,
    });
    this.#heartbeat.start(
      agreement.heartbeatSeconds,
      () => this.#beat(),
      () => this.destroy('no heartbeat from the client'),
    );
    this.listener.opened(this);
  }

  #beat(): void {
    if (!this.output.active) this.output.heartbeat();
    this.output.active = false;
  }

  #frameWhileClosing(isMethod: boolean, bytes: Buffer, start: number, end: number): void {
    const method = isMethod ? decodeMethod(bytes, start, end) : undefined;
    if (method?.name === 'connection.close') this.output.method(0, 'connection.closeOk', {});
    else if (method?.name !== 'connection.closeOk') return;
    this.#finish();
  }

  #fail(error: unknown, classId: number, methodId: number): void {
    if (error instanceof LoginRefused) {
      this.#refuseLogin(error);
      return;
    }
    let reply: ReplyError;
    if (error instanceof ReplyError) reply = error;
    else {
      reply = new ReplyError('INTERNAL_ERROR', 'the server failed to handle a frame');
      this.services.warn({ code: 'ERR_AMQP_INTERNAL', message: `connection ${this.id}: ${String(error)}`, error });
    }
    this.close(reply, classId, methodId);
  }

  /** Waits before the answer, so that passwords cannot be tried quickly on one connection. */
  #refuseLogin(refusal: LoginRefused): void {
    this.#state = 'refused';
    this.stream.pause();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.stream.resume();
      if (refusal.tellClient) this.close(refusal, 10, 11);
      else this.destroy(refusal.message);
    }, this.services.options.authFailureDelayMs);
  }

  /** Sends connection.close and waits a limited time for the answer. */
  close(error: ReplyError, classId = 0, methodId = 0): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.#reason = error.message;
    if (error.replyCode !== REPLY_CODES.CONNECTION_FORCED) this.services.counters.connectionErrors++;
    this.#release();
    const greeted = this.#state !== 'header';
    this.#state = 'closing';
    if (!greeted) {
      this.#finish();
      return;
    }
    const replyText = shortText(error.message);
    this.output.method(0, 'connection.close', { replyCode: error.replyCode, replyText, classId, methodId });
    this.output.flush();
    // A blocked connection has to be read again, or its answer would never be seen.
    this.stream.resume();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.destroy(this.#reason), this.services.options.closeTimeoutMs);
  }

  /** Gives back all that the connection holds: messages, consumers, exclusive queues. */
  #release(): void {
    for (const channel of this.channels.values()) channel.release();
    this.channels.clear();
    this.#lastChannel = undefined;
    if (this.#agreement === undefined) return;
    const { vhost } = this.#agreement;
    for (const queue of [...vhost.queues.values()]) {
      if (queue.declaration.owner === this) vhost.deleteQueue(queue);
    }
  }

  /** Sends what is left and ends the stream, after giving the other side some time to end it first. */
  #finish(lingerMs = 0): void {
    if (this.#state === 'closed') return;
    this.#ended();
    if (lingerMs === 0) this.output.end();
    else this.output.flush();
    const end = (): void => {
      this.output.end();
      this.stream.destroy();
    };
    const timer = setTimeout(end, lingerMs === 0 ? this.services.options.closeTimeoutMs : lingerMs);
    timer.unref();
    this.stream.once('close', () => clearTimeout(timer));
    this.stream.resume();
  }

  /** Ends the connection at once, without a word to the client. */
  destroy(reason: string): void {
    if (this.#state !== 'closed') {
      this.#reason = reason;
      this.#release();
      this.#ended();
      this.output.discard();
    }
    this.stream.destroy();
  }

  #ended(): void {
    this.#state = 'closed';
    this.#parser.stop();
    this.#heartbeat.stop();
    clearTimeout(this.#timer);
    this.services.counters.octetsSent += this.output.octets;
    this.listener.closed(this, this.#reason);
  }
}
