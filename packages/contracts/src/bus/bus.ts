/** Facts that travel with a message, whatever its kind. */
export interface MessageMeta {
  /** Idempotency key: the same on every attempt to send the same thing. */
  readonly messageId: string;
  /** W3C trace context of the sender. */
  readonly traceparent?: string | undefined;
  /** The sender's plugin, as `app-id`. Information, not proof. */
  readonly sender?: string | undefined;
  /** When it was sent, in ms since the epoch. */
  readonly timestamp?: number | undefined;
}

/** A request as its provider gets it. */
export interface IncomingRequest extends MessageMeta {
  /** The address of the call, such as `transaction.submit.v1`. */
  readonly address: string;
  readonly body: Uint8Array;
  /** Milliseconds that are left of the caller's deadline. */
  readonly timeoutMs: number;
}

/** An event, a transient message or a task as its listener gets it. */
export interface IncomingMessage extends MessageMeta {
  /** The address of the event, such as `block.committed.v1`. */
  readonly address: string;
  readonly body: Uint8Array;
  /** True where it may have been delivered before. */
  readonly redelivered: boolean;
}

/** Undoes a registration. Safe to call twice. */
export interface Registration {
  /** Takes no more, and resolves when what is under way is done. */
  close(): Promise<void>;
}

/** How a request is sent. */
export interface RequestOptions extends Partial<MessageMeta> {
  /** The deadline, in ms from now. */
  readonly timeoutMs: number;
  /** Gives up early; the provider is not told. */
  readonly signal?: AbortSignal | undefined;
}

/** Where the bus stands: `connected`, `reconnecting` (lost, trying again) or `closed`. */
export type BusState = 'connected' | 'reconnecting' | 'closed';

/** Counters of a bus, for metrics and the status page. */
export interface BusStats {
  readonly state: BusState;
  /** Requests without an answer yet. */
  readonly pending: number;
  /** Messages published and not yet confirmed by the broker. */
  readonly unconfirmed: number;
  readonly reconnects: number;
  /** Transient messages that were dropped on this side because their listener's queue was full. */
  readonly dropped: number;
}

/**
 * What carries bytes between the plugins of one node. It knows addresses and bodies, never a role or a message type.
 * Every implementation passes `testBus` of the testkit; the promises below are its titles.
 *
 * - B1: a request reaches the one provider of its role and its answer, or its error with the code, comes back.
 * - B2: a request whose role nobody serves fails at once with ERR_BUS_NO_PROVIDER.
 * - B3: a request whose provider goes away fails with ERR_BUS_PROVIDER_LOST; past its deadline with ERR_BUS_TIMEOUT.
 * - B4: a second provider of one role is refused with ERR_ROLE_TAKEN.
 * - B5: an event reaches every subscriber that was there when it was published, in the order of one publisher.
 * - B6: a durable subscriber also gets the events published while it was away, and again those it did not finish.
 * - B7: a task is done at least once: a handler that fails gets it again, at most 5 times, then it is a dead letter.
 * - B8: a transient queue that is full drops its oldest message and counts it; it never slows its sender.
 * - B9: two namespaces on one broker never see each other's messages.
 * - B10: after close nothing is delivered and every call under way fails with ERR_BUS_CLOSED.
 * - B11: after a lost connection all registrations are there again without the users' doing, and what was not confirmed is sent again.
 */
export interface Bus {
  /** Serves all `addresses` of a role, such as `txpool.v1`. @throws ERR_ROLE_TAKEN */
  serve(
    role: string,
    addresses: readonly string[],
    handler: (request: IncomingRequest) => Promise<Uint8Array>,
  ): Promise<Registration>;
  /**
   * Asks the provider of `role` at `address` and resolves with the body of its answer.
   * @throws the provider's error, ERR_BUS_NO_PROVIDER, ERR_BUS_TIMEOUT, ERR_BUS_PROVIDER_LOST,
   * ERR_BUS_CLOSED, ERR_BUS_ABORTED, ERR_BUS_FULL, ERR_BUS_MESSAGE_TOO_LARGE
   */
  request(role: string, address: string, body: Uint8Array, options: RequestOptions): Promise<Uint8Array>;
  /** Publishes an event; resolves when the broker has it. */
  publish(address: string, body: Uint8Array, meta?: Partial<MessageMeta>): Promise<void>;
  /** Subscribes to events. A `durable` name keeps the queue, and what arrives in it, while the subscriber is away. */
  subscribe(
    addresses: readonly string[],
    handler: (message: IncomingMessage) => Promise<void>,
    options?: { readonly durable?: string | undefined },
  ): Promise<Registration>;
  /** Sends a transient message to whoever listens now. Never waits, never fails. */
  cast(address: string, body: Uint8Array): void;
  /** Listens to transient messages; past `maxQueued` (default 1,000) the oldest is dropped. */
  listen(
    addresses: readonly string[],
    handler: (message: IncomingMessage) => void | Promise<void>,
    options?: { readonly maxQueued?: number | undefined },
  ): Promise<Registration>;
  /** Queues a task; resolves when the broker has it. */
  enqueue(address: string, body: Uint8Array, meta?: Partial<MessageMeta>): Promise<void>;
  /** Works on the tasks of an address, at most `concurrency` (default 1) at a time. */
  work(
    address: string,
    handler: (message: IncomingMessage) => Promise<void>,
    options?: { readonly concurrency?: number | undefined },
  ): Promise<Registration>;
  /** Waits until `role` is served, at most `timeoutMs`. @throws ERR_BUS_NO_PROVIDER */
  waitForRole(role: string, timeoutMs: number): Promise<void>;
  /** What the bus holds now, for health and metrics. */
  stats(): BusStats;
  /** Finishes what is being handled, at most `timeoutMs` (default 1,000), then closes. Safe to call twice. */
  close(timeoutMs?: number): Promise<void>;
}
