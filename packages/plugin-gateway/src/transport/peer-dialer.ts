import { connect as http2Connect } from 'node:http2';
import { connect as netConnect, type Socket } from 'node:net';
import { connect as tlsConnect, type TLSSocket } from 'node:tls';
import { failure, PEER_BINDING_LABEL, type Clock } from '@it-chain/contracts';
import { formatEndpoint, isLoopback, type Endpoint } from './address.js';
import { openStream, sessionOptions, widenWindow } from './grpc-http2.js';
import { PeerLink } from './peer-link.js';
import type { PeersConfig } from './peers-config.js';

/** What of the config a dial needs. */
export type DialOptions = Pick<PeersConfig, 'tls' | 'insecure' | 'limits'>;

/**
 * Connects to another node and opens both streams. Nothing is proved yet.
 * @throws ERR_PEER_UNREACHABLE
 */
export async function openLink(target: Endpoint, options: DialOptions, clock: Clock): Promise<PeerLink> {
  const started = clock.monotonic();
  const address = formatEndpoint(target);
  const { socket: raw, limit } = limitedSocket(target, options.limits.handshakeMs, clock);
  const unreachable = (step: string, cause: unknown): Error => {
    raw.destroy();
    const code = (cause as NodeJS.ErrnoException).code;
    const why = code === 'ECONNREFUSED' ? 'connection refused' : (cause as Error).message || String(code);
    const ms = Math.round(clock.monotonic() - started);
    return failure('ERR_PEER_UNREACHABLE', `${address} cannot be reached: ${step}: ${why} (after ${ms} ms)`, {
      hint: 'Check the address and that the node there has reached the stage `accept`.',
      retryable: true,
      cause,
    });
  };
  try {
    await happens(raw, 'connect').catch((error: unknown) => {
      throw unreachable('connecting', error);
    });
    raw.setNoDelay(true);
    const secure = options.tls === 'always' || !(options.insecure || isLoopback(raw.remoteAddress));
    let socket: Socket | TLSSocket = raw;
    let binding: Uint8Array = new Uint8Array(0);
    if (secure) {
      const tls = tlsConnect({
        socket: raw,
        ALPNProtocols: ['h2'],
        minVersion: 'TLSv1.3',
        // No certificate names a node: the handshake proves its key and binds the proof to this very connection.
        rejectUnauthorized: false,
      });
      await happens(tls, 'secureConnect').catch((error: unknown) => {
        throw unreachable('TLS', error);
      });
      binding = tls.exportKeyingMaterial(32, PEER_BINDING_LABEL, Buffer.alloc(0));
      socket = tls;
    }
    return startHttp2(socket, { address, remote: raw.remoteAddress ?? '', secure, binding }, options, clock);
  } finally {
    limit();
  }
}

function limitedSocket(target: Endpoint, ms: number, clock: Clock): { socket: Socket; limit: () => void } {
  const socket = netConnect({ host: target.host, port: target.port });
  const limit = clock.after(ms, () => {
    socket.destroy(new Error(`no answer within ${ms} ms`));
  });
  return { socket, limit };
}

function startHttp2(
  socket: Socket,
  facts: { address: string; remote: string; secure: boolean; binding: Uint8Array },
  options: DialOptions,
  clock: Clock,
): PeerLink {
  const session = http2Connect('http://peer', {
    ...sessionOptions(options.limits),
    createConnection: () => socket,
  });
  session.on('error', () => {
    // Both streams close with it, and whoever reads them is told.
  });
  session.once('connect', () => {
    widenWindow(session, options.limits);
  });
  const { address, remote, secure, binding } = facts;
  const streams = { control: openStream(session, 'control'), bulk: openStream(session, 'bulk') };
  return new PeerLink(
    { direction: 'outbound', address, remote, security: secure ? 'tls' : 'plain', binding },
    streams,
    session,
    clock,
  );
}

function happens(socket: Socket, name: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    // Stays for the life of the socket: an error without a listener would end the process.
    socket.on('error', reject);
    socket.once('close', () => {
      reject(new Error('the other end closed the connection'));
    });
    socket.once(name, resolve);
  });
}
