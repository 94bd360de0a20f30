import { performServerHandshake } from 'node:http2';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from 'node:tls';
import { failure, messageOf, PEER_BINDING_LABEL, type Clock } from '@it-chain/contracts';
import { formatEndpoint, isLoopback, parseEndpoint } from './address.js';
import type { FrameStream } from './frame-stream.js';
import { acceptStream, sessionOptions, widenWindow } from './grpc-http2.js';
import type { PeerCertificate } from './peer-certificate.js';
import { PeerLink } from './peer-link.js';
import { PendingConnections, type PendingConnection } from './pending-connections.js';
import type { PeersConfig } from './peers-config.js';

/** First byte of a TLS record that begins a handshake (RFC 8446 section 5.1). */
const TLS_HANDSHAKE = 0x16;

export interface PeerListenerDependencies {
  readonly clock: Clock;
  /** Makes the certificate; asked for once, when the first TLS connection comes or TLS is expected. */
  readonly certificate: () => Promise<PeerCertificate>;
  /** False for addresses that are not spoken to. */
  allowed(remote: string): boolean;
  /**
   * A connection with both streams; nothing is proved yet. `done` is to be called when it is known who it is, or when
   * it is over. `refused` where it must not be used.
   */
  linked(link: PeerLink, done: () => void, refused: Error | undefined): void;
  /** A stranger broke the protocol before it was anybody. */
  breach(remote: string, reason: string): void;
}

/** The door for other nodes: TCP, TLS where due, HTTP/2, two gRPC streams; all within limits of number and time. */
export class PeerListener {
  readonly #options: PeersConfig;
  readonly #deps: PeerListenerDependencies;
  readonly #server: Server;
  #tls: Promise<TlsServer> | undefined;
  readonly #pending: PendingConnections;
  /** Entries by the address and port of the other end, to find them again above TLS. */
  readonly #byPeer = new Map<string, PendingConnection>();

  constructor(options: PeersConfig, dependencies: PeerListenerDependencies) {
    this.#options = options;
    this.#deps = dependencies;
    this.#pending = new PendingConnections(options.limits, dependencies.clock);
    this.#server = createServer({ noDelay: true }, (socket) => {
      this.#connected(socket);
    });
  }

  /** Listens; answers `host:port` as bound. @throws ERR_GATEWAY_LISTEN */
  async listen(): Promise<string> {
    const endpoint = parseEndpoint(this.#options.listen);
    if (endpoint === undefined) throw failure('ERR_GATEWAY_LISTEN', `"${this.#options.listen}" is not HOST:PORT`);
    // On loopback nobody need come with TLS; elsewhere nobody should wait for the certificate.
    if (this.#options.tls !== 'auto' || !isLoopback(endpoint.host)) await this.#secure();
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause) => {
        reject(failure('ERR_GATEWAY_LISTEN', `peers.listen ${this.#options.listen}: ${messageOf(cause)}`, { cause }));
      });
      this.#server.listen(endpoint, resolve);
    });
    this.#server.on('error', (error) => {
      this.#deps.breach('', messageOf(error));
    });
    return formatEndpoint({ host: endpoint.host, port: (this.#server.address() as AddressInfo).port });
  }

  /** Takes no more connections and closes those that have proved nothing. */
  close(): void {
    if (this.#server.listening) this.#server.close();
    this.#pending.destroy();
  }

  #connected(socket: Socket): void {
    socket.on('error', () => {
      // Strangers come and go; the close that follows is what counts.
    });
    const remote = socket.remoteAddress;
    const pending = remote !== undefined && this.#deps.allowed(remote) ? this.#pending.add(socket, remote) : undefined;
    if (pending === undefined) {
      socket.destroy();
      return;
    }
    const key = keyOf(socket);
    this.#byPeer.set(key, pending);
    socket.once('close', () => {
      pending.done();
      this.#byPeer.delete(key);
    });
    socket.once('data', (first: Buffer) => {
      socket.pause();
      socket.unshift(first);
      if (first[0] === TLS_HANDSHAKE) {
        void this.#handOver(socket);
      } else {
        this.#serve(socket, pending, { security: 'plain', binding: new Uint8Array(0) });
      }
    });
  }

  /** Lets TLS go on with a connection whose first bytes were put back. */
  async #handOver(socket: Socket): Promise<void> {
    try {
      (await this.#secure()).emit('connection', socket);
    } catch (error) {
      socket.destroy(error as Error);
    }
  }

  #secure(): Promise<TlsServer> {
    this.#tls ??= this.#deps.certificate().then((certificate) => {
      const server = createTlsServer(
        {
          ...certificate,
          ALPNProtocols: ['h2'],
          minVersion: 'TLSv1.3',
          handshakeTimeout: this.#options.limits.handshakeMs,
        },
        (socket) => {
          this.#secured(socket);
        },
      );
      server.on('tlsClientError', (error, socket) => {
        if (socket.remoteAddress !== undefined) this.#deps.breach(socket.remoteAddress, messageOf(error));
        socket.destroy();
      });
      return server;
    });
    return this.#tls;
  }

  #secured(socket: TLSSocket): void {
    socket.on('error', () => {
      // As above.
    });
    const pending = this.#byPeer.get(keyOf(socket));
    if (pending === undefined || socket.alpnProtocol !== 'h2') {
      socket.destroy();
      return;
    }
    const binding = socket.exportKeyingMaterial(32, PEER_BINDING_LABEL, Buffer.alloc(0));
    this.#serve(socket, pending, { security: 'tls', binding });
  }

  #serve(
    socket: Socket,
    pending: PendingConnection,
    proof: { readonly security: 'plain' | 'tls'; readonly binding: Uint8Array },
  ): void {
    const { remote } = pending;
    const session = performServerHandshake(socket, sessionOptions(this.#options.limits));
    const lanes: { control?: FrameStream; bulk?: FrameStream } = {};
    session.on('error', (error) => {
      if (lanes.bulk === undefined) this.#deps.breach(remote, messageOf(error));
    });
    session.once('remoteSettings', () => {
      widenWindow(session, this.#options.limits);
    });
    session.on('stream', (stream, headers) => {
      const accepted = acceptStream(stream, headers, (lane) => lanes[lane] !== undefined);
      if (accepted === undefined) return;
      lanes[accepted.lane] = accepted.frames;
      const { control, bulk } = lanes;
      if (control === undefined || bulk === undefined) return;
      pending.linked();
      const address = formatEndpoint({ host: remote, port: socket.remotePort ?? 0 });
      const facts = { direction: 'inbound', address, remote, ...proof } as const;
      const link = new PeerLink(facts, { control, bulk }, session, this.#deps.clock);
      this.#deps.linked(
        link,
        () => {
          pending.done();
        },
        this.#refusal(proof.security, remote),
      );
    });
  }

  #refusal(security: 'plain' | 'tls', remote: string): Error | undefined {
    const { tls, insecure } = this.#options;
    if (security === 'tls' || insecure || (tls === 'auto' && isLoopback(remote))) return undefined;
    return failure('ERR_PEER_INSECURE', `node at ${remote} connects without TLS, which is refused here`);
  }
}

function keyOf(socket: Socket): string {
  return `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`;
}
