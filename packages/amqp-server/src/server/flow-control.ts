import { type Heartbeat } from './heartbeat.js';
import { type Duplex } from 'node:stream';
import { type Output } from '../wire/output.js';
import { type PublishRate } from './publish-rate.js';
import { type Services } from './session.js';

/** The parts of a connection that flow control acts on. */
export interface Controlled {
  readonly stream: Duplex;
  readonly output: Output;
  readonly services: Services;
  /** Asks all queues with a consumer on the connection for messages. */
  dispatch(): void;
}

/**
 * Decides when a connection is delivered to and when it is read from:
 * - output above the limit: nothing more is delivered until the stream has drained;
 * - output above twice the limit (answers and returns the client does not read): it is not read from either;
 * - the user publishes faster than it may: it is not read from until that is made up for;
 * - memory alarm: connections that publish are not read from, and told so with connection.blocked.
 */
export class FlowControl {
  /** Whether the memory alarm holds this connection. */
  blocked = false;
  readonly #connection: Controlled;
  readonly #heartbeat: Heartbeat;
  #stalled = false;
  #backlogged = false;
  #publishes = false;
  #exempt = false;
  #tell = false;
  #rate: PublishRate | undefined;
  /** Published since the last chunk was finished. */
  #published = 0;
  #throttled = false;

  constructor(connection: Controlled, heartbeat: Heartbeat) {
    this.#connection = connection;
    this.#heartbeat = heartbeat;
  }

  /** The connection is open; `tell` is whether the client understands connection.blocked. */
  opened(facts: { readonly exempt: boolean; readonly tell: boolean; readonly rate: PublishRate | undefined }): void {
    this.#exempt = facts.exempt;
    this.#tell = facts.tell;
    this.#rate = facts.rate;
  }

  hasRoom(): boolean {
    const { output, services } = this.#connection;
    if (output.pending <= services.options.maxOutputBytes) return true;
    this.#stalled = true;
    return false;
  }

  /** The stream has sent something: go on once there is room again. */
  written(): void {
    if (!this.#stalled && !this.#backlogged) return;
    const { output, services } = this.#connection;
    if (output.pending > services.options.maxOutputBytes) return;
    if (this.#backlogged) {
      this.#backlogged = false;
      this.#read();
    }
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#connection.dispatch();
  }

  /** Called after each chunk of input. */
  checkBacklog(): void {
    if (this.#rate !== undefined && this.#published > 0) this.#throttle(this.#rate);
    const { output, services, stream } = this.#connection;
    if (this.#backlogged || output.pending <= 2 * services.options.maxOutputBytes) return;
    this.#backlogged = true;
    this.#heartbeat.suspended = true;
    stream.pause();
  }

  published(): void {
    this.#publishes = true;
    this.#published++;
    if (!this.blocked && this.#connection.services.gauge.alarm) this.#block();
  }

  memoryAlarm(alarm: boolean): void {
    if (alarm && this.#publishes) this.#block();
    else if (!alarm && this.blocked) this.#unblock();
  }

  #throttle(rate: PublishRate): void {
    const pauseMs = rate.add(this.#published);
    this.#published = 0;
    if (pauseMs === 0 || this.#throttled) return;
    const { stream, services } = this.#connection;
    services.counters.throttled++;
    this.#throttled = true;
    this.#heartbeat.suspended = true;
    stream.pause();
    const timer = setTimeout(() => {
      this.#throttled = false;
      this.#read();
    }, pauseMs);
    timer.unref();
    stream.once('close', () => clearTimeout(timer));
  }

  #block(): void {
    if (this.#exempt || this.blocked) return;
    this.blocked = true;
    this.#heartbeat.suspended = true;
    const { stream, output } = this.#connection;
    stream.pause();
    if (this.#tell) output.method(0, 'connection.blocked', { reason: 'low on memory' });
  }

  #unblock(): void {
    this.blocked = false;
    if (this.#tell) this.#connection.output.method(0, 'connection.unblocked', {});
    this.#read();
  }

  #read(): void {
    if (this.blocked || this.#backlogged || this.#throttled) return;
    this.#heartbeat.suspended = false;
    this.#connection.stream.resume();
  }
}
