import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, createServer, isIP, type Server, type Socket } from 'node:net';
import { type Duplex } from 'node:stream';
import { createServer as createTlsServer, type TlsOptions, TLSSocket } from 'node:tls';
import { AmqpServerError } from '../errors.js';
import { type AmqpUser } from '../options.js';
import { type Peer } from './authenticator.js';
import { type AmqpWarning } from './session.js';

/** Where to listen: TCP, or a Unix socket. */
export type ListenOptions = TcpListenOptions | UnixListenOptions;

/** A TCP listener. */
export interface TcpListenOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0, which takes any free port. */
  readonly port?: number;
  /** Options of `tls.createServer`; with them the listener speaks TLS only. */
  readonly tls?: TlsOptions;
}

/** A listener on a Unix socket, which only this user of the system can connect to. */
export interface UnixListenOptions {
  /** Path of the socket. One left behind by a process that is gone is replaced. */
  readonly path: string;
}

/** Where a TCP listener is reached. */
export interface AmqpTcpAddress {
  readonly host: string;
  readonly port: number;
  /** `amqp://` or `amqps://`, without user and virtual host. */
  readonly url: string;
}

/** Where a listener on a Unix socket is reached. */
export interface AmqpUnixAddress {
  readonly path: string;
}

/** Where a listener is reached. */
export type AmqpAddress = AmqpTcpAddress | AmqpUnixAddress;

interface ListenerContext {
  readonly handshakeTimeoutMs: number;
  readonly maxConnections: number;
  readonly explicitUsers: readonly AmqpUser[];
  readonly accept: (stream: Duplex, remote: string, peer: Peer) => void;
  readonly warn: (warning: AmqpWarning) => void;
}

/** One listening socket. */
export class Listener {
  readonly #where: ListenOptions;
  readonly #context: ListenerContext;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** Throws ERR_AMQP_INSECURE_LISTEN. */
  constructor(where: ListenOptions, context: ListenerContext) {
    this.#where = where;
    this.#context = context;
    checkSecure(where, context.explicitUsers);
    const tls = 'path' in where ? undefined : where.tls;
    const handshakeTimeout = context.handshakeTimeoutMs;
    this.#server =
      tls === undefined
        ? createServer({ noDelay: true })
        : createTlsServer({ noDelay: true, handshakeTimeout, ...tls });
    // Clients that do not finish the TLS handshake are known to this listener alone, so it counts and keeps them.
    if (tls !== undefined) this.#server.maxConnections = context.maxConnections;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => this.#accept(socket));
    this.#server.on('tlsClientError', (error: Error) => this.#warn(`TLS handshake failed: ${error.message}`, error));
  }

  #warn(message: string, error: unknown): void {
    this.#context.warn({ code: 'ERR_AMQP_LISTENER', message, error });
  }

  #accept(socket: Socket): void {
    const { remoteAddress, remotePort } = socket;
    const local = 'path' in this.#where || (remoteAddress !== undefined && isLoopback(remoteAddress));
    const remote = 'path' in this.#where ? this.#where.path : `${remoteAddress ?? 'unknown'}:${remotePort ?? 0}`;
    socket.setKeepAlive(true);
    this.#context.accept(socket, remote, { loopback: local, certificateName: certificateName(socket) });
  }

  /** Starts to listen. Throws ERR_AMQP_LISTEN_FAILED. */
  async listen(): Promise<AmqpAddress> {
    const where = this.#where;
    try {
      if ('path' in where) {
        await removeStaleSocket(where.path);
        // The mode is set right when the socket is made: a later chmod alone would leave a gap.
        const mask = process.umask(0o177);
        try {
          await this.#bind(() => this.#server.listen(where.path));
        } finally {
          process.umask(mask);
        }
        await chmod(where.path, 0o600);
      } else await this.#bind(() => this.#server.listen(where.port ?? 0, where.host ?? '127.0.0.1'));
    } catch (error) {
      const name = 'path' in where ? where.path : `${where.host ?? '127.0.0.1'}:${where.port ?? 0}`;
      throw new AmqpServerError(
        'ERR_AMQP_LISTEN_FAILED',
        `cannot listen on ${name}: ${error instanceof Error ? error.message : String(error)}`,
        'choose an address that is free and that this user may use',
        { cause: error },
      );
    }
    this.#server.on('error', (error) => this.#warn(`listener: ${error.message}`, error));
    return this.#address();
  }

  #bind(listen: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.once('listening', () => {
        this.#server.off('error', reject);
        resolve();
      });
      listen();
    });
  }

  #address(): AmqpAddress {
    if ('path' in this.#where) return { path: this.#where.path };
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new TypeError('a TCP listener without an address');
    const scheme = this.#where.tls === undefined ? 'amqp' : 'amqps';
    const name = isIP(address.address) === 6 ? `[${address.address}]` : address.address;
    return { host: address.address, port: address.port, url: `${scheme}://${name}:${address.port}` };
  }

  /** Stops listening; a Unix socket is removed. Once `served` is settled, whoever is still connected is cut. */
  async close(served: Promise<unknown>): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await served;
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/** An address other machines can reach needs TLS and users somebody has thought about. */
function checkSecure(where: ListenOptions, users: readonly AmqpUser[]): void {
  if ('path' in where) return;
  const host = where.host ?? '127.0.0.1';
  if (host === 'localhost' || isLoopback(host)) return;
  const missing = where.tls === undefined ? 'TLS' : users.some((user) => user.name === 'guest') ? 'explicit users' : '';
  if (missing === '') return;
  throw new AmqpServerError(
    'ERR_AMQP_INSECURE_LISTEN',
    `refusing to listen on ${host} without ${missing}`,
    'give tls and users (none called guest), or listen on 127.0.0.1 or a Unix socket',
  );
}

/** Whether an IP address belongs to this machine alone. */
export function isLoopback(address: string): boolean {
  const ip = address.toLowerCase().replace(/^::ffff:/, '');
  return ip === '::1' || (isIP(ip) === 4 && ip.startsWith('127.'));
}

function certificateName(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const name: unknown = socket.getPeerCertificate().subject.CN;
  return typeof name === 'string' ? name : undefined;
}

/** Removes a socket that nobody listens on any more; anything else at that path makes `listen` fail. */
async function removeStaleSocket(path: string): Promise<void> {
  const stats = await lstat(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (stats?.isSocket() !== true) return;
  const alive = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (!alive) await unlink(path);
}
