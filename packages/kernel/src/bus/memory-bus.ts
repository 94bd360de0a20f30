import {
  decodeError,
  encodeError,
  failure,
  type Bus,
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
import { SystemClock } from '../services/system-clock.js';
import { Inbox } from './inbox.js';
import { MemoryBroker, type Delivery, type PendingRequest, type Schedule, type ServedRole } from './memory-broker.js';
import type { Attached, WorkQueue } from './work-queue.js';

/** Options of a {@link MemoryBus}; everything has a default. */
export interface MemoryBusOptions {
  /** Orders deliveries; for a simulator. Ignored with `broker`, which has its own. */
  readonly schedule?: Schedule | undefined;
  /** Another bus on the same broker stands for another process of the same node. Default: a broker of its own. */
  readonly broker?: MemoryBroker | undefined;
  readonly clock?: Clock | undefined;
  readonly log?: Log | undefined;
  readonly metrics?: Metrics | undefined;
  /** The largest body, in bytes. Default 16 MiB, as on AMQP. */
  readonly maxMessageBytes?: number | undefined;
  /** Requests without an answer at once. Default 10,000. */
  readonly maxPending?: number | undefined;
  /** Events a subscriber has not handled; then the oldest is dropped. Default 100,000. */
  readonly maxEvents?: number | undefined;
  /** How long a provider that leaves may finish what it has in hand, in ms. Default 1,000. */
  readonly drainMs?: number | undefined;
}

const noLog: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * The bus without a broker, in one process: for unit tests, and for a simulator that hands in its clock and its
 * schedule. It keeps the promises B1 to B10; there is no connection to lose, so B11 holds by itself. Bodies are copied
 * on the way in and for each receiver, so nobody shares memory, and nothing is delivered within the sender's call.
 */
export class MemoryBus implements Bus {
  /** What this bus shares with others of its node. */
  readonly broker: MemoryBroker;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #metrics: Metrics | undefined;
  readonly #maxMessageBytes: number;
  readonly #maxPending: number;
  readonly #maxEvents: number;
  readonly #drainMs: number;
  readonly #pending = new Set<PendingRequest>();
  readonly #registrations = new Set<Registration>();
  readonly #onClose = new Set<(error: Error) => void>();
  readonly #inboxes = new Set<Inbox>();
  #closing: Promise<void> | undefined;
  #dropped = 0;
  #nextId = 0;

  constructor(options: MemoryBusOptions = {}) {
    this.broker = options.broker ?? new MemoryBroker({ schedule: options.schedule });
    this.#clock = options.clock ?? new SystemClock();
    this.#log = options.log ?? noLog;
    this.#metrics = options.metrics;
    this.#maxMessageBytes = options.maxMessageBytes ?? 16 * 1024 * 1024;
    this.#maxPending = options.maxPending ?? 10_000;
    this.#maxEvents = options.maxEvents ?? 100_000;
    this.#drainMs = options.drainMs ?? 1_000;
  }

  serve(
    role: string,
    addresses: readonly string[],
    handler: (request: IncomingRequest) => Promise<Uint8Array>,
  ): Promise<Registration> {
    return this.#register(() => {
      if (this.broker.roles.has(role)) {
        throw failure('ERR_ROLE_TAKEN', `the role ${role} is served already`);
      }
      const served: ServedRole = { addresses: new Set(addresses), handler, inHand: new Set(), idle: [] };
      this.broker.addRole(role, served);
      return async (timeoutMs) => {
        if (this.broker.roles.get(role) === served) this.broker.roles.delete(role);
        await this.#within(timeoutMs, idleOf(served));
        for (const request of [...served.inHand]) {
          served.inHand.delete(request);
          request.settle({ error: providerLost(role, request.address) });
        }
      };
    });
  }

  request(role: string, address: string, body: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#requireOpen();
      this.#requireSize(address, body);
      const { signal, timeoutMs } = options;
      if (signal?.aborted === true) throw aborted(address);
      if (this.#pending.size >= this.#maxPending) {
        throw failure('ERR_BUS_FULL', `${this.#pending.size} requests wait for their answers already`, {
          retryable: true,
        });
      }
      const served = this.broker.roles.get(role);
      if (served?.addresses.has(address) !== true) throw noProvider(role, address);

      const settle: PendingRequest['settle'] = (outcome) => {
        if (!this.#pending.delete(pending)) return;
        cancel();
        signal?.removeEventListener('abort', onAbort);
        if ('answer' in outcome) resolve(outcome.answer);
        else reject(outcome.error);
      };
      const onAbort = (): void => {
        settle({ error: aborted(address) });
      };
      const pending: PendingRequest = { address, deadline: this.#clock.monotonic() + timeoutMs, settle };
      const cancel = this.#clock.after(timeoutMs, () => {
        settle({
          error: failure('ERR_BUS_TIMEOUT', `${address} did not answer within ${timeoutMs} ms`, { retryable: true }),
        });
      });
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#pending.add(pending);
      const copy = copyOf(body);
      const meta = this.#metaOf(options);
      this.#schedule('request', address, copy, () => {
        this.#deliverRequest(role, served, pending, copy, meta);
      });
    });
  }

  publish(address: string, body: Uint8Array, meta: Partial<MessageMeta> = {}): Promise<void> {
    return this.#attempt(() => {
      this.#requireSize(address, body);
      const full = this.#metaOf(meta);
      for (const inbox of this.broker.subscribers.get(address) ?? []) {
        const message = messageOf(address, body, full);
        this.#schedule('event', address, message.body, () => {
          inbox.push(message);
        });
      }
      for (const queue of this.broker.durableQueues(address)) {
        const message = messageOf(address, body, full);
        this.#schedule('event', address, message.body, () => {
          queue.push(message);
        });
      }
    });
  }

  subscribe(
    addresses: readonly string[],
    handler: (message: IncomingMessage) => Promise<void>,
    { durable }: { readonly durable?: string | undefined } = {},
  ): Promise<Registration> {
    return this.#register(() => {
      if (durable === undefined) {
        const onDrop = (): void => {
          this.#log.warn('a subscriber does not keep up: its oldest event was dropped', { addresses });
          this.#metrics?.counter('bus_events_dropped_total', 'Events dropped, since a listener did not keep up.').add();
        };
        return this.#listen(this.broker.subscribers, addresses, handler, this.#maxEvents, onDrop);
      }
      const queue = this.broker.durableQueue(durable, addresses, this.#clock, this.#log);
      if (queue.hasWorker) throw failure('ERR_ROLE_TAKEN', `the durable subscriber "${durable}" is there already`);
      return this.#attach(queue, handler, 1);
    });
  }

  cast(address: string, body: Uint8Array): void {
    if (this.#closing !== undefined) return;
    if (body.length > this.#maxMessageBytes) {
      this.#drop();
      return;
    }
    const meta = this.#metaOf({});
    for (const inbox of this.broker.listeners.get(address) ?? []) {
      const message = messageOf(address, body, meta);
      this.#schedule('transient', address, message.body, () => {
        inbox.push(message);
      });
    }
  }

  listen(
    addresses: readonly string[],
    handler: (message: IncomingMessage) => void | Promise<void>,
    { maxQueued = 1_000 }: { readonly maxQueued?: number | undefined } = {},
  ): Promise<Registration> {
    const onDrop = (): void => this.#drop();
    return this.#register(() => this.#listen(this.broker.listeners, addresses, handler, maxQueued, onDrop));
  }

  enqueue(address: string, body: Uint8Array, meta: Partial<MessageMeta> = {}): Promise<void> {
    return this.#attempt(() => {
      this.#requireSize(address, body);
      const queue = this.broker.taskQueue(address, this.#clock, this.#log);
      if (queue.isFull) throw failure('ERR_BUS_FULL', `the task queue ${address} is full`, { retryable: true });
      const message = messageOf(address, body, this.#metaOf(meta));
      this.#schedule('task', address, message.body, () => {
        queue.push(message);
      });
    });
  }

  work(
    address: string,
    handler: (message: IncomingMessage) => Promise<void>,
    { concurrency = 1 }: { readonly concurrency?: number | undefined } = {},
  ): Promise<Registration> {
    return this.#register(() =>
      this.#attach(this.broker.taskQueue(address, this.#clock, this.#log), handler, concurrency),
    );
  }

  waitForRole(role: string, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#requireOpen();
      if (this.broker.roles.has(role)) {
        resolve();
        return;
      }
      const end = (settle: () => void): void => {
        cancel();
        forget();
        this.#onClose.delete(onClose);
        settle();
      };
      const onClose = (error: Error): void => {
        end(() => {
          reject(error);
        });
      };
      const cancel = this.#clock.after(timeoutMs, () => {
        onClose(failure('ERR_BUS_NO_PROVIDER', `nobody served ${role} within ${timeoutMs} ms`, { retryable: true }));
      });
      const forget = this.broker.onRole(role, () => {
        end(resolve);
      });
      this.#onClose.add(onClose);
    });
  }

  #drop(): void {
    this.#dropped += 1;
    this.#metrics?.counter('bus_transient_dropped_total', 'Transient messages dropped on this side.').add();
  }

  /** What the bus holds now. */
  stats(): BusStats {
    return {
      state: this.#closing === undefined ? 'connected' : 'closed',
      pending: this.#pending.size,
      unconfirmed: 0,
      reconnects: 0,
      dropped: this.#dropped,
    };
  }

  close(timeoutMs = 1_000): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number): Promise<void> {
    const closed = failure('ERR_BUS_CLOSED', 'the bus was closed', { retryable: true });
    for (const tell of [...this.#onClose]) tell(closed);
    const idle = [...this.#inboxes].map((inbox) => inbox.whenIdle());
    const leaving = [...this.#registrations].map((registration) => this.#leave(registration, timeoutMs));
    await Promise.all([...leaving, this.#within(timeoutMs, Promise.all(idle))]);
    for (const pending of [...this.#pending]) pending.settle({ error: closed });
  }

  readonly #leavers = new WeakMap<Registration, (timeoutMs: number) => Promise<void>>();

  /** Makes a registration of what `join` sets up; its result undoes that, waiting at most so many ms. */
  async #register(join: () => (timeoutMs: number) => Promise<void>): Promise<Registration> {
    this.#requireOpen();
    const leave = join();
    const registration: Registration = { close: () => this.#leave(registration, this.#drainMs) };
    this.#leavers.set(registration, leave);
    this.#registrations.add(registration);
    return Promise.resolve(registration);
  }

  async #leave(registration: Registration, timeoutMs: number): Promise<void> {
    if (this.#registrations.delete(registration)) await this.#leavers.get(registration)?.(timeoutMs);
  }

  #listen(
    table: Map<string, Set<Inbox>>,
    addresses: readonly string[],
    handler: (message: IncomingMessage) => void | Promise<void>,
    maxQueued: number,
    onDrop: () => void,
  ): () => Promise<void> {
    const inbox = new Inbox({ maxQueued }, { handler, log: this.#log, onDrop });
    this.#inboxes.add(inbox);
    for (const address of addresses) {
      const inboxes = table.get(address) ?? new Set();
      table.set(address, inboxes.add(inbox));
    }
    return () => {
      inbox.close();
      this.#inboxes.delete(inbox);
      for (const address of addresses) {
        const inboxes = table.get(address);
        inboxes?.delete(inbox);
        if (inboxes?.size === 0) table.delete(address);
      }
      return Promise.resolve();
    };
  }

  #attach(
    queue: WorkQueue,
    handler: (message: IncomingMessage) => Promise<void>,
    concurrency: number,
  ): (timeoutMs: number) => Promise<void> {
    const attached: Attached = queue.attach({ handler, concurrency });
    return async (timeoutMs) => {
      const left = attached.detach();
      await this.#within(timeoutMs, left.idle);
      left.drop();
    };
  }

  #deliverRequest(
    role: string,
    served: ServedRole,
    pending: PendingRequest,
    body: Uint8Array,
    meta: MessageMeta,
  ): void {
    if (this.broker.roles.get(role) !== served) {
      pending.settle({ error: providerLost(role, pending.address) });
      return;
    }
    const timeoutMs = pending.deadline - this.#clock.monotonic();
    // The caller has given up already: what nobody waits for is not begun.
    if (timeoutMs <= 0 || !this.#pending.has(pending)) return;
    served.inHand.add(pending);
    const finish = (outcome: Parameters<PendingRequest['settle']>[0]): void => {
      if (!served.inHand.delete(pending)) return;
      if (served.inHand.size === 0) tellIdle(served);
      const bytes = 'answer' in outcome ? outcome.answer : new Uint8Array(0);
      this.#schedule('answer', pending.address, bytes, () => {
        pending.settle(outcome);
      });
    };
    const fail = (error: unknown): void => {
      finish({ error: decodeError(encodeError(error)) });
    };
    try {
      served
        .handler({ ...meta, address: pending.address, body, timeoutMs })
        .then((answer) => {
          this.#requireSize(pending.address, answer);
          finish({ answer: copyOf(answer) });
        })
        .catch(fail);
    } catch (error) {
      fail(error);
    }
  }

  #schedule(kind: Delivery['kind'], address: string, body: Uint8Array, run: () => void): void {
    this.broker.schedule({ kind, address, body, run });
  }

  #metaOf(meta: Partial<MessageMeta>): MessageMeta {
    return {
      messageId: meta.messageId ?? `memory-${(this.#nextId++).toString(36)}`,
      traceparent: meta.traceparent,
      sender: meta.sender,
      timestamp: meta.timestamp ?? this.#clock.now(),
    };
  }

  #attempt(run: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#requireOpen();
      run();
      resolve();
    });
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw failure('ERR_BUS_CLOSED', 'the bus is closed');
  }

  #requireSize(address: string, body: Uint8Array): void {
    if (body.length <= this.#maxMessageBytes) return;
    throw failure(
      'ERR_BUS_MESSAGE_TOO_LARGE',
      `a body of ${body.length} bytes for ${address}; the bus carries ${this.#maxMessageBytes}`,
    );
  }

  /** Waits for `done`, at most so long. */
  #within(timeoutMs: number, done: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(timeoutMs, resolve);
      const end = (): void => {
        cancel();
        resolve();
      };
      void done.then(end, end);
    });
  }
}

/** A copy of the bytes. A Buffer, as on AMQP: small ones come from Node's pool, which halves the cost of a call. */
function copyOf(body: Uint8Array): Uint8Array {
  return Buffer.from(body);
}

function messageOf(address: string, body: Uint8Array, meta: MessageMeta): IncomingMessage {
  return { ...meta, address, body: copyOf(body), redelivered: false };
}

function idleOf(served: ServedRole): Promise<void> {
  if (served.inHand.size === 0) return Promise.resolve();
  return new Promise((resolve) => served.idle.push(resolve));
}

function tellIdle(served: ServedRole): void {
  for (const resolve of served.idle) resolve();
  served.idle = [];
}

function noProvider(role: string, address: string): Error {
  return failure('ERR_BUS_NO_PROVIDER', `nobody serves ${address} of ${role}`, { retryable: true });
}

function providerLost(role: string, address: string): Error {
  return failure(
    'ERR_BUS_PROVIDER_LOST',
    `the provider of ${role} went away during ${address}: its outcome is unknown`,
  );
}

function aborted(address: string): Error {
  return failure('ERR_BUS_ABORTED', `the caller gave ${address} up`);
}
