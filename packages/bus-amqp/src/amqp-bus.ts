import type { Options } from 'amqplib';
import {
  failure,
  hasCode,
  isItChainError,
  messageOf,
  type Bus,
  type BusState,
  type BusStats,
  type Clock,
  type IncomingMessage,
  type IncomingRequest,
  type Log,
  type MessageMeta,
  type Metrics,
  type Registration,
  type RequestOptions,
} from '@it-chain/contracts';
import { Bindings } from './bindings.js';
import { within } from './clock.js';
import { ListenBinding } from './listen-binding.js';
import { placeOf, redacted, type Settings } from './options.js';
import { Outbox } from './outbox.js';
import { propertiesOf } from './properties.js';
import type { Binding } from './registration.js';
import { Requests } from './requests.js';
import { RoleBinding } from './role-binding.js';
import { SeenIds } from './seen-ids.js';
import { Session } from './session.js';
import { createSignal } from './signal.js';
import { TaskQueues } from './task-queues.js';
import { Topology } from './topology.js';
import { WorkBinding } from './work-binding.js';

/** Transient messages written while the socket takes no more; then new ones are dropped until it drains. */
const MAX_UNDRAINED = 1_000;

/** AMQP's code for what the user may not do. */
const ACCESS_REFUSED = 403;

/** What an {@link AmqpBus} needs. */
export interface AmqpBusDependencies {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics | undefined;
  /** Unique text of this bus, in front of its correlation ids. */
  readonly prefix: string;
}

/** The bus on AMQP 0-9-1: see the README for what is declared where, and what is promised. */
export class AmqpBus implements Bus {
  readonly #settings: Settings;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #metrics: Metrics | undefined;
  readonly #prefix: string;
  readonly #topology: Topology;
  readonly #outbox: Outbox;
  readonly #requests: Requests;
  readonly #bindings: Bindings;
  readonly #tasks: TaskQueues;
  #session: Session | undefined;
  #closing: Promise<void> | undefined;
  readonly #closed = new AbortController();
  #up = createSignal();
  #reconnects = 0;
  #dropped = 0;
  #undrained = 0;
  #nextId = 0;

  constructor(settings: Settings, dependencies: AmqpBusDependencies) {
    this.#settings = settings;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#metrics = dependencies.metrics;
    this.#prefix = dependencies.prefix;
    this.#topology = new Topology(settings);
    this.#bindings = new Bindings({ clock: this.#clock, log: this.#log, closed: this.#closed.signal });
    this.#tasks = new TaskQueues({ topology: this.#topology });
    this.#outbox = new Outbox(settings, { clock: this.#clock, metrics: this.#metrics });
    this.#requests = new Requests(settings, { topology: this.#topology, clock: this.#clock });
  }

  /** Connects for the first time, once. @throws ERR_BUS_UNREACHABLE */
  async open(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      const reason = redacted(messageOf(error), this.#settings);
      throw failure('ERR_BUS_UNREACHABLE', `the broker at ${placeOf(this.#settings)} cannot be used: ${reason}`, {
        retryable: true,
      });
    }
  }

  serve(
    role: string,
    addresses: readonly string[],
    handler: (request: IncomingRequest) => Promise<Uint8Array>,
  ): Promise<Registration> {
    const { maxHandling, maxMessageBytes } = this.#settings;
    const dependencies = { handler, topology: this.#topology, clock: this.#clock, log: this.#log };
    if (this.#bindings.hasRole(role)) {
      return Promise.reject(failure('ERR_ROLE_TAKEN', `the role ${role} is served by this bus already`));
    }
    return this.#register(new RoleBinding({ role, addresses, maxHandling, maxMessageBytes }, dependencies));
  }

  async request(role: string, address: string, body: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    this.#requireOpen();
    this.#requireSize(address, body);
    const { signal, timeoutMs } = options;
    if (signal?.aborted === true) throw failure('ERR_BUS_ABORTED', `the caller gave ${address} up`);
    // The caller may change its bytes when this returns, and the library writes them later.
    const copy = Buffer.from(body);
    const meta = { messageId: options.messageId ?? this.#createId(), timestamp: options.timestamp };
    if (this.#session !== undefined) return this.#requests.send(role, address, copy, options, meta);
    const left = await this.#waitForSession(address, timeoutMs, signal);
    return this.#requests.send(role, address, copy, { ...options, timeoutMs: left }, meta);
  }

  async publish(address: string, body: Uint8Array, meta: Partial<MessageMeta> = {}): Promise<void> {
    this.#requireOpen();
    this.#requireSize(address, body);
    return this.#outbox.send(this.#topology.events, address, Buffer.from(body), this.#lasting(address, meta));
  }

  subscribe(
    addresses: readonly string[],
    handler: (message: IncomingMessage) => Promise<void>,
    { durable }: { readonly durable?: string | undefined } = {},
  ): Promise<Registration> {
    const exchange = this.#topology.events;
    if (durable !== undefined) {
      const queue = this.#topology.durableQueue(durable);
      const declaration = this.#topology.durable();
      return this.#registerWork({ queue, declaration, exchange, addresses, concurrency: 1 }, handler);
    }
    const { maxEvents } = this.#settings;
    const onDrop = (): void => {
      this.#log.warn('a subscriber does not keep up: its oldest event was dropped', { addresses });
    };
    const options = { exchange, addresses, maxQueued: maxEvents, maxInBroker: maxEvents };
    const dependencies = { handler, topology: this.#topology, log: this.#log, seen: new SeenIds(), onDrop };
    return this.#register(new ListenBinding(options, dependencies));
  }

  cast(address: string, body: Uint8Array): void {
    const session = this.#session;
    if (session === undefined || session.isBlocked || body.length > this.#settings.maxMessageBytes) {
      this.#drop();
      return;
    }
    if (this.#undrained >= MAX_UNDRAINED) {
      this.#drop();
      return;
    }
    const properties = propertiesOf(address, { messageId: this.#createId() });
    try {
      const goesOn = session.direct.publish(this.#topology.casts, address, Buffer.from(body), properties);
      if (!goesOn) this.#undrained += 1;
    } catch {
      // The connection is being lost: transient messages are lost with it, and counted.
      this.#drop();
    }
  }

  listen(
    addresses: readonly string[],
    handler: (message: IncomingMessage) => void | Promise<void>,
    { maxQueued = 1_000 }: { readonly maxQueued?: number | undefined } = {},
  ): Promise<Registration> {
    const onDrop = (): void => {
      this.#drop();
    };
    const options = {
      exchange: this.#topology.casts,
      addresses,
      maxQueued,
      maxInBroker: Math.max(1_000, 4 * maxQueued),
    };
    const dependencies = { handler, topology: this.#topology, log: this.#log, seen: undefined, onDrop };
    return this.#register(new ListenBinding(options, dependencies));
  }

  async enqueue(address: string, body: Uint8Array, meta: Partial<MessageMeta> = {}): Promise<void> {
    this.#requireOpen();
    this.#requireSize(address, body);
    const copy = Buffer.from(body);
    const properties = this.#lasting(address, meta);
    try {
      await this.#tasks.ensure(address, this.#session);
    } catch (error) {
      throw this.#named(error);
    }
    this.#requireOpen();
    return this.#outbox.send('', this.#topology.taskQueue(address), copy, properties);
  }

  work(
    address: string,
    handler: (message: IncomingMessage) => Promise<void>,
    { concurrency = 1 }: { readonly concurrency?: number | undefined } = {},
  ): Promise<Registration> {
    const queue = this.#topology.taskQueue(address);
    const declaration = this.#topology.tasks();
    return this.#registerWork({ queue, declaration, task: address, addresses: [], concurrency }, handler);
  }

  async waitForRole(role: string, timeoutMs: number): Promise<void> {
    this.#requireOpen();
    const end = this.#clock.monotonic() + timeoutMs;
    for (let pause = 20; ; pause = Math.min(pause * 2, 500)) {
      if (await this.#requests.isServed(role)) return;
      this.#requireOpen();
      const left = end - this.#clock.monotonic();
      if (left <= 0) {
        throw failure('ERR_BUS_NO_PROVIDER', `nobody served ${role} within ${timeoutMs} ms`, { retryable: true });
      }
      await this.#clock.sleep(Math.min(pause, left), this.#closed.signal);
      this.#requireOpen();
    }
  }

  stats(): BusStats {
    const state: BusState =
      this.#closing !== undefined ? 'closed' : this.#session === undefined ? 'reconnecting' : 'connected';
    return {
      state,
      pending: this.#requests.size,
      unconfirmed: this.#outbox.size,
      reconnects: this.#reconnects,
      dropped: this.#dropped,
    };
  }

  close(timeoutMs = 1_000): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#closed.abort();
    this.#up.resolve();
    const closed = failure('ERR_BUS_CLOSED', 'the bus was closed', { retryable: true });
    const session = this.#session;
    if (session === undefined) {
      this.#outbox.fail(closed);
      this.#requests.fail(closed);
      return;
    }
    await this.#bindings.leaveAll(timeoutMs);
    await within(this.#clock, timeoutMs, this.#outbox.whenEmpty());
    this.#session = undefined;
    this.#outbox.fail(closed);
    this.#requests.fail(closed);
    await within(this.#clock, 1_000, session.close());
  }

  async #registerWork(
    options: Omit<ConstructorParameters<typeof WorkBinding>[0], 'retryDelayMs'>,
    handler: (message: IncomingMessage) => Promise<void>,
  ): Promise<Registration> {
    const onDead = (): void => {
      this.#metrics?.counter('bus_dead_letters_total', 'Messages that failed too often.').add();
    };
    const { retryDelayMs } = this.#settings;
    const dependencies = { handler, clock: this.#clock, log: this.#log, onDead };
    return this.#register(new WorkBinding({ ...options, retryDelayMs }, dependencies));
  }

  async #register(binding: Binding): Promise<Registration> {
    this.#requireOpen();
    for (;;) {
      const session = this.#session;
      if (session === undefined) {
        await this.#up.promise;
        this.#requireOpen();
        continue;
      }
      this.#bindings.add(binding);
      try {
        await binding.attach(session);
        break;
      } catch (error) {
        if (hasCode(error, 'ERR_ROLE_TAKEN') || !session.isLost) {
          this.#bindings.delete(binding);
          throw this.#named(error);
        }
        // The connection was lost meanwhile: the reconnect attaches it, since it is among the bindings.
        await this.#up.promise;
        this.#requireOpen();
        break;
      }
    }
    return { close: () => this.#bindings.leave(binding, this.#settings.drainMs) };
  }

  async #connect(): Promise<void> {
    const session = await Session.open(this.#settings, {
      log: this.#log,
      // One that is lost while it is being set up is not in use yet: the error of the setup tells it.
      onLost: (lost, why) => {
        if (lost === this.#session) this.#onLost(why);
      },
    });
    try {
      session.direct.on('drain', () => {
        this.#undrained = 0;
      });
      this.#undrained = 0;
      await this.#declareShared(session);
      await this.#requests.resume(session);
      await this.#tasks.resume(session);
      await this.#bindings.attachAll(session);
      if (session.isLost) throw new Error('the connection was lost while it was being set up');
    } catch (error) {
      await session.close();
      throw error;
    }
    if (this.#closing !== undefined) {
      await session.close();
      return;
    }
    this.#session = session;
    this.#outbox.resume(session);
    this.#up.resolve();
  }

  /** The user of a plugin in another process may not declare what the node does: then it must be there. */
  async #declareShared(session: Session): Promise<void> {
    try {
      await session.declare((channel) => this.#topology.declareShared(channel));
    } catch (error) {
      if ((error as { code?: number }).code !== ACCESS_REFUSED) throw error;
      await session.declare((channel) => this.#topology.checkShared(channel));
    }
  }

  #onLost(why: string): void {
    this.#session = undefined;
    this.#up = createSignal();
    this.#outbox.pause();
    this.#bindings.lost();
    this.#requests.fail(
      failure('ERR_BUS_CLOSED', 'the connection to the broker was lost: the outcome is unknown', { retryable: true }),
    );
    if (this.#closing !== undefined) return;
    this.#log.warn('the connection to the broker was lost', { broker: placeOf(this.#settings), reason: why });
    void this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    const { reconnectMinMs, reconnectMaxMs } = this.#settings;
    for (let limit = reconnectMinMs; ; limit = Math.min(limit * 2, reconnectMaxMs)) {
      // Full jitter: many nodes that lost one broker do not come back in step.
      await this.#clock.sleep(Math.random() * limit, this.#closed.signal);
      if (this.#closing !== undefined) return;
      try {
        await this.#connect();
        this.#reconnects += 1;
        this.#metrics?.counter('bus_reconnects_total', 'Connections to the broker made again.').add();
        this.#log.info('connected to the broker again', { broker: placeOf(this.#settings) });
        return;
      } catch (error) {
        this.#log.debug('the broker is not back yet', { reason: redacted(messageOf(error), this.#settings) });
      }
    }
  }

  async #waitForSession(address: string, timeoutMs: number, signal: AbortSignal | undefined): Promise<number> {
    const end = this.#clock.monotonic() + timeoutMs;
    const wait = new AbortController();
    const onAbort = (): void => {
      wait.abort();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    const up = this.#up.promise.then(onAbort);
    await this.#clock.sleep(timeoutMs, wait.signal);
    signal?.removeEventListener('abort', onAbort);
    void up;
    this.#requireOpen();
    if (signal?.aborted === true) throw failure('ERR_BUS_ABORTED', `the caller gave ${address} up`);
    const left = end - this.#clock.monotonic();
    if (this.#session === undefined || left <= 0) {
      throw failure('ERR_BUS_TIMEOUT', `the broker was not there for ${address} within ${timeoutMs} ms`, {
        retryable: true,
      });
    }
    return left;
  }

  #lasting(address: string, meta: Partial<MessageMeta>): Options.Publish {
    const properties = propertiesOf(address, {
      messageId: meta.messageId ?? this.#createId(),
      traceparent: meta.traceparent,
      sender: meta.sender,
      timestamp: meta.timestamp ?? this.#clock.now(),
    });
    return { ...properties, persistent: true };
  }

  #createId(): string {
    return `${this.#prefix}${(this.#nextId++).toString(36)}`;
  }

  #drop(): void {
    this.#dropped += 1;
    this.#metrics?.counter('bus_transient_dropped_total', 'Transient messages dropped on this side.').add();
  }

  #named(error: unknown): unknown {
    if (isItChainError(error)) return error;
    const reason = redacted(messageOf(error), this.#settings);
    return failure('ERR_BUS_UNREACHABLE', `the broker at ${placeOf(this.#settings)} refused a declaration: ${reason}`);
  }

  #requireOpen(): void {
    if (this.#closing !== undefined || this.#closed.signal.aborted) {
      throw failure('ERR_BUS_CLOSED', 'the bus is closed');
    }
  }

  #requireSize(address: string, body: Uint8Array): void {
    const { maxMessageBytes } = this.#settings;
    if (body.length <= maxMessageBytes) return;
    throw failure(
      'ERR_BUS_MESSAGE_TOO_LARGE',
      `a body of ${body.length} bytes for ${address}; the bus carries ${maxMessageBytes}`,
    );
  }
}
