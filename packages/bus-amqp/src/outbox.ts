import type { Options } from 'amqplib';
import { failure, type Clock, type Metrics } from '@it-chain/contracts';
import { resentOf } from './properties.js';
import type { Session } from './session.js';

/**
 * How long a refusal is held before it is told, in ms. A full queue refuses, and so does a RabbitMQ that is shutting
 * down, just before it closes the connection: then the message is sent again instead.
 */
const REFUSAL_MS = 1_000;

interface Entry {
  readonly exchange: string;
  readonly key: string;
  readonly body: Buffer;
  readonly properties: Options.Publish;
  /** True once it has been written to some session. */
  sent: boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** Limits of an {@link Outbox}. */
export interface OutboxOptions {
  /** On the wire without a confirm. */
  readonly confirmWindow: number;
  /** Waiting, on the wire or not. */
  readonly maxOutbox: number;
}

/** Events and tasks until the broker has confirmed them: in order, a window of them at once, again after a lost connection. */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #clock: Clock;
  readonly #metrics: Metrics | undefined;
  /** In the order of sending. The first `#onWire` of them are written to the session. */
  readonly #entries = new Set<Entry>();
  #waiting: Entry[] = [];
  #session: Session | undefined;
  #onWire = 0;

  constructor(options: OutboxOptions, dependencies: { readonly clock: Clock; readonly metrics: Metrics | undefined }) {
    this.#options = options;
    this.#clock = dependencies.clock;
    this.#metrics = dependencies.metrics;
  }

  /** Not confirmed yet. */
  get size(): number {
    return this.#entries.size;
  }

  /** Resolves when the broker has it. @throws ERR_BUS_FULL, ERR_BUS_CLOSED */
  send(exchange: string, key: string, body: Buffer, properties: Options.Publish): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#entries.size >= this.#options.maxOutbox) {
        throw failure('ERR_BUS_FULL', `${this.#entries.size} messages wait for the broker already`, {
          retryable: true,
        });
      }
      const entry: Entry = { exchange, key, body, properties, sent: false, resolve, reject };
      this.#entries.add(entry);
      this.#waiting.push(entry);
      this.#pump();
    });
  }

  /** Goes on with a new session: first all that was not confirmed, in its old order. */
  resume(session: Session): void {
    this.#session = session;
    this.#onWire = 0;
    this.#waiting = [...this.#entries];
    const again = this.#waiting.filter(({ sent }) => sent).length;
    if (again > 0)
      this.#metrics?.counter('bus_republished_total', 'Messages sent again after a lost connection.').add(again);
    this.#pump();
  }

  /** Holds everything until {@link resume}. */
  pause(): void {
    this.#session = undefined;
  }

  /** Resolves when all is confirmed. */
  async whenEmpty(): Promise<void> {
    await Promise.allSettled([...this.#entries].map((entry) => this.#settled(entry)));
  }

  /** Fails what is left. */
  fail(error: Error): void {
    this.#session = undefined;
    for (const entry of [...this.#entries]) this.#settle(entry, error);
  }

  readonly #watchers = new Map<Entry, (() => void)[]>();

  #settled(entry: Entry): Promise<void> {
    return new Promise((resolve) => {
      this.#watchers.set(entry, [...(this.#watchers.get(entry) ?? []), resolve]);
    });
  }

  #pump(): void {
    const session = this.#session;
    if (session === undefined) return;
    let next = 0;
    for (; next < this.#waiting.length && this.#onWire < this.#options.confirmWindow; next += 1) {
      const entry = this.#waiting[next];
      if (entry === undefined || !this.#entries.has(entry)) continue;
      this.#write(session, entry);
    }
    if (next > 0) this.#waiting.splice(0, next);
  }

  #write(session: Session, entry: Entry): void {
    const { exchange, key, body } = entry;
    const properties = entry.sent ? resentOf(entry.properties) : entry.properties;
    entry.sent = true;
    this.#onWire += 1;
    try {
      session.confirmed.publish(exchange, key, body, properties, (refused: unknown) => {
        // A confirm of a session that is gone says nothing: the message is sent again.
        if (session !== this.#session) return;
        this.#onWire -= 1;
        if (refused === null || refused === undefined) this.#settle(entry);
        else this.#refuseLater(session, entry);
        this.#pump();
      });
    } catch {
      // The channel is closed: the session tells of its loss, and the message waits for the next one.
      this.#onWire -= 1;
    }
  }

  #refuseLater(session: Session, entry: Entry): void {
    this.#clock.after(REFUSAL_MS, () => {
      if (session !== this.#session) return;
      this.#settle(
        entry,
        failure('ERR_BUS_FULL', `the broker refused a message for ${entry.key}`, { retryable: true }),
      );
    });
  }

  #settle(entry: Entry, error?: Error): void {
    if (!this.#entries.delete(entry)) return;
    if (error === undefined) entry.resolve();
    else entry.reject(error);
    for (const tell of this.#watchers.get(entry) ?? []) tell();
    this.#watchers.delete(entry);
  }
}
