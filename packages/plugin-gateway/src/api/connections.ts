import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import { ServerCredentials } from '@grpc/grpc-js';
import { failure, messageOf } from '@it-chain/contracts';
import { isLoopbackPeer } from './admin-access.js';
import type { ApiConfig } from './api-config.js';

/** `HOST:PORT` or `[IPv6]:PORT` in its parts. */
export function parseListen(listen: string): { readonly host: string; readonly port: number } {
  const at = listen.lastIndexOf(':');
  return { host: listen.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port: Number(listen.slice(at + 1)) };
}

/** True where only this host can connect. */
export function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || isLoopbackPeer(host);
}

/**
 * What connections are secured with.
 * @throws ERR_API_INSECURE beyond loopback without TLS, ERR_API_LISTEN for a certificate that cannot be read
 */
export async function credentialsOf(options: ApiConfig): Promise<ServerCredentials> {
  if (options.tls === undefined) {
    if (!isLoopbackHost(parseListen(options.listen).host) && !options.insecure) {
      throw failure(
        'ERR_API_INSECURE',
        `api.listen is ${options.listen}, which other hosts can reach, and api.tls is not set`,
        {
          hint: 'Set api.tls.cert and api.tls.key, or api.insecure: true on a network that you trust.',
        },
      );
    }
    return ServerCredentials.createInsecure();
  }
  try {
    const [cert, key] = await Promise.all([readFile(options.tls.cert), readFile(options.tls.key)]);
    return ServerCredentials.createSsl(null, [{ cert_chain: cert, private_key: key }], false);
  } catch (cause) {
    throw failure('ERR_API_LISTEN', `api.tls cannot be used: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Accepts connections and hands them on. gRPC's own listener has no limit of connections and no way to end one, and a
 * follower that reads nothing must be ended.
 */
export class Connections {
  readonly #server: NetServer;
  readonly #sockets = new Map<string, Socket>();

  constructor(
    options: Pick<ApiConfig, 'maxConnections'>,
    dependencies: { readonly accept: (socket: Socket) => void; readonly count: (connections: number) => void },
  ) {
    this.#server = createServer((socket) => {
      const peer = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`;
      this.#sockets.set(peer, socket);
      dependencies.count(this.#sockets.size);
      // A reset by the client is an end like any other; HTTP/2 sees it too.
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        this.#sockets.delete(peer);
        dependencies.count(this.#sockets.size);
      });
      dependencies.accept(socket);
    });
    this.#server.maxConnections = options.maxConnections;
  }

  /** Listens, and gives the address as bound. @throws ERR_API_LISTEN */
  listen(listen: string): Promise<string> {
    const { host, port } = parseListen(listen);
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) => {
        const why = cause.code === 'EADDRINUSE' ? 'another process holds this address' : cause.message;
        reject(failure('ERR_API_LISTEN', `the client API cannot listen on ${listen}: ${why}`, { cause }));
      });
      this.#server.listen({ host, port }, () => {
        const { port: bound } = this.#server.address() as AddressInfo;
        resolve(`${host.includes(':') ? `[${host}]` : host}:${bound}`);
      });
    });
  }

  /** Ends the connection of a peer, named as `getPeer` of a call names it. */
  cut(peer: string): void {
    this.#sockets.get(peer)?.destroy();
  }

  /** Accepts no more; those that are open stay. */
  stopAccepting(): void {
    this.#server.close();
  }

  /** Ends all of them. */
  destroy(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
  }
}
