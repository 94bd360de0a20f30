import { EventEmitter } from 'node:events';
import { type Duplex } from 'node:stream';
import { MemoryGauge } from '../broker/memory-gauge.js';
import { createCounters } from '../broker/metrics.js';
import { VirtualHost } from '../broker/virtual-host.js';
import { AmqpServerError } from '../errors.js';
import { type AmqpServerOptions, type AmqpUser, type ResolvedOptions, resolveOptions } from '../options.js';
import { ReplyError } from '../wire/reply-error.js';
import { Authenticator, type Peer } from './authenticator.js';
import { Connection, type ConnectionListener } from './connection.js';
import {
  type AmqpAddress,
  type AmqpTcpAddress,
  type AmqpUnixAddress,
  type ListenOptions,
  Listener,
  type TcpListenOptions,
  type UnixListenOptions,
} from './listener.js';
import { type AmqpWarning, type Services } from './session.js';
import { type AmqpQueueStats, type AmqpServerStats, queueStats, serverStats } from './stats.js';

/** What events say about a connection. */
export interface AmqpConnectionInfo {
  /** Unique in this server. */
  readonly id: number;
  /** Address and port, path of the Unix socket, or `attached`. */
  readonly remote: string;
  readonly user: string | undefined;
  readonly vhost: string | undefined;
  /** `product` of the client properties. */
  readonly product: string | undefined;
}

/** Events of a server. */
export interface AmqpServerEvents {
  /** A client has logged in and opened its virtual host. */
  connection: [info: AmqpConnectionInfo];
  /** A connection is over, with the reason; also for connections that never logged in. */
  connectionClosed: [info: AmqpConnectionInfo, reason: string];
  /** Something the operator should know; the server goes on. */
  warning: [warning: AmqpWarning];
  /** Publishers have to wait because the memory watermark is passed. */
  blocked: [usedBytes: number];
  /** The memory alarm has ended. */
  unblocked: [usedBytes: number];
}

/** An AMQP 0-9-1 server inside this process. Messages live in memory. */
export class AmqpServer extends EventEmitter<AmqpServerEvents> {
  readonly #options: ResolvedOptions;
  readonly #services: Services;
  readonly #connections = new Set<Connection>();
  readonly #listeners = new Set<Listener>();
  readonly #lifecycle: ConnectionListener;
  #nextId = 1;
  #closing: Promise<void> | undefined;

  /** Throws ERR_AMQP_INVALID_OPTION for an option that is out of range. */
  constructor(options: AmqpServerOptions = {}) {
    super();
    this.#options = resolveOptions(options);
    const gauge = new MemoryGauge(this.#options.memoryWatermarkBytes, (alarm) => this.#onMemoryAlarm(alarm));
    const counters = createCounters();
    const vhosts = new Map(
      this.#options.vhosts.map((name) => [name, new VirtualHost(name, gauge, counters, this.#options)]),
    );
    const authenticator = new Authenticator(this.#options.users);
    const warn = (warning: AmqpWarning): void => void this.emit('warning', warning);
    const connectionsOf = (user: string): number =>
      [...this.#connections].filter((one) => one.isOpen && one.user.name === user).length;
    this.#services = { options: this.#options, authenticator, vhosts, gauge, counters, warn, connectionsOf };
    this.#lifecycle = {
      opened: (connection) => this.emit('connection', describe(connection)),
      closed: (connection, reason) => this.emit('connectionClosed', describe(connection), reason),
    };
  }

  /**
   * Accepts connections on TCP (`host` defaults to 127.0.0.1, `port` to 0: any free one) or a Unix socket (mode 0600).
   * May be called several times. Throws ERR_AMQP_INSECURE_LISTEN for an address other machines can reach without TLS
   * and explicit users, ERR_AMQP_LISTEN_FAILED when the address cannot be used, ERR_AMQP_SERVER_CLOSED after `close`.
   */
  listen(where?: TcpListenOptions): Promise<AmqpTcpAddress>;
  listen(where: UnixListenOptions): Promise<AmqpUnixAddress>;
  listen(where: ListenOptions): Promise<AmqpAddress>;
  async listen(where: ListenOptions = {}): Promise<AmqpAddress> {
    this.#checkNotClosed('listen');
    const listener = new Listener(where, {
      explicitUsers: this.#options.users,
      handshakeTimeoutMs: this.#options.handshakeTimeoutMs,
      maxConnections: this.#options.maxConnections,
      accept: (stream, remote, peer) => this.#accept(stream, remote, peer),
      warn: this.#services.warn,
    });
    this.#listeners.add(listener);
    try {
      return await listener.listen();
    } catch (error) {
      this.#listeners.delete(listener);
      throw error;
    }
  }

  /**
   * Serves a client at the other end of a stream of this process (for example one of `stream.duplexPair()`), as if it
   * had connected from this machine. Throws ERR_AMQP_SERVER_CLOSED after `close`.
   */
  attach(stream: Duplex): void {
    this.#checkNotClosed('attach');
    this.#accept(stream, 'attached', { loopback: true, certificateName: undefined });
  }

  /** Adds or replaces a user; connections that are open keep what they have. */
  setUser(user: AmqpUser): void {
    this.#services.authenticator.set(user);
  }

  /** Removes a user and closes its connections. Returns whether there was one. */
  removeUser(name: string): boolean {
    const existed = this.#services.authenticator.delete(name);
    for (const connection of [...this.#connections]) {
      if (connection.isOpen && connection.user.name === name) {
        connection.close(new ReplyError('CONNECTION_FORCED', `user '${name}' was removed`, true));
      }
    }
    return existed;
  }

  /** What the server holds now, and its counters. */
  stats(): AmqpServerStats {
    return serverStats(this.#services, this.#connections);
  }

  /** What each queue of a virtual host holds now. */
  queues(vhost = '/'): AmqpQueueStats[] {
    return queueStats(this.#services.vhosts.get(vhost));
  }

  /**
   * Stops listening, says goodbye to all clients (320) and waits for them, at most `closeTimeoutMs`; then cuts what is
   * left. All messages are dropped. A second call waits for the first.
   */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    const goodbye = new ReplyError(
      'CONNECTION_FORCED',
      "broker forced connection closure with reason 'shutdown'",
      true,
    );
    const gone = [...this.#connections].map(
      (connection) => new Promise<void>((resolve) => connection.stream.once('close', () => resolve())),
    );
    const listeners = [...this.#listeners].map((listener) => listener.close(Promise.all(gone)));
    for (const connection of [...this.#connections]) {
      if (connection.isOpen) connection.close(goodbye);
      else if (!connection.isClosed) connection.destroy('server closed');
    }
    await Promise.all([...gone, ...listeners]);
    this.#listeners.clear();
    for (const vhost of this.#services.vhosts.values()) vhost.destroy();
  }

  #checkNotClosed(what: string): void {
    if (this.#closing === undefined) return;
    throw new AmqpServerError('ERR_AMQP_SERVER_CLOSED', `${what}: the server is closed`, 'make a new AmqpServer');
  }

  #accept(stream: Duplex, remote: string, peer: Peer): void {
    const { counters } = this.#services;
    if (stream.destroyed || this.#closing !== undefined || this.#connections.size >= this.#options.maxConnections) {
      counters.connectionsRefused++;
      stream.on('error', () => undefined); // The client may already be gone; there is nobody left to tell.
      stream.destroy();
      return;
    }
    counters.connectionsAccepted++;
    const connection = new Connection(this.#nextId++, remote, stream, this.#services, peer, this.#lifecycle);
    this.#connections.add(connection);
    stream.once('close', () => this.#connections.delete(connection));
  }

  #onMemoryAlarm(alarm: boolean): void {
    const { gauge, counters } = this.#services;
    if (alarm) counters.memoryAlarms++;
    for (const connection of this.#connections) connection.memoryAlarm(alarm);
    this.emit(alarm ? 'blocked' : 'unblocked', gauge.used);
  }
}

function describe(connection: Connection): AmqpConnectionInfo {
  const { identity } = connection;
  const product = connection.clientProperties.get('product')?.value;
  return {
    id: connection.id,
    remote: connection.remote,
    user: identity?.user.name,
    vhost: identity?.vhost.name,
    product: typeof product === 'string' ? product : undefined,
  };
}
