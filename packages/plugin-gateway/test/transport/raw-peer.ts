import { randomBytes } from 'node:crypto';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import {
  keyPairFromSeed,
  nodeIdOf,
  sha256,
  signBytes,
  signingBytes,
  utf8,
  verifySignature,
  type Domain,
  type KeyPair,
  type PeerFrame,
} from '@it-chain/contracts';
import { PeersConfig } from '@it-chain/plugin-gateway';
import { parseEndpoint } from '../../dist/transport/address.js';
import { ControlReader } from '../../dist/transport/control-reader.js';
import { handshake, type HandshakeDependencies, type Proven } from '../../dist/transport/handshake.js';
import { makePeerCertificate } from '../../dist/transport/peer-certificate.js';
import { openLink } from '../../dist/transport/peer-dialer.js';
import type { PeerLink } from '../../dist/transport/peer-link.js';
import { PeerListener } from '../../dist/transport/peer-listener.js';
import { realClock } from './test-node.js';

/** A handshake's needs for any key, which a test may make lie. */
export function lyingDependencies(keys: KeyPair, override: Partial<HandshakeDependencies> = {}): HandshakeDependencies {
  return {
    identity: { nodeId: nodeIdOf(keys.publicKey), publicKey: keys.publicKey, name: 'raw' },
    random: (length) => randomBytes(length),
    sign: (domain, network, content) =>
      Promise.resolve(signBytes(signingBytes(domain as Domain, network, content), keys.secretKey)),
    verify: (checks) => Promise.resolve(checks.map((c) => verifySignature(c.publicKey, c.message, c.signature))),
    hello: () => ({
      genesis: new Uint8Array(0),
      height: 0,
      name: 'raw',
      addresses: [],
      candidate: new Uint8Array(0),
      leader: new Uint8Array(0),
    }),
    ...override,
  };
}

export const keysOf = (name: string): KeyPair => keyPairFromSeed(sha256(utf8(name)));

/** Connects and opens the streams; nothing is said yet. */
export function rawLink(address: string, config: Record<string, unknown> = {}): Promise<PeerLink> {
  const target = parseEndpoint(address);
  if (target === undefined) throw new Error(`no address: ${address}`);
  return openLink(target, PeersConfig.parse(config), realClock);
}

/** A peer that is admitted honestly and then does what the test wants. */
export async function rawSession(
  address: string,
  name: string,
  config: Record<string, unknown> = {},
): Promise<{ link: PeerLink; proven: Proven; id: string }> {
  const keys = keysOf(name);
  const link = await rawLink(address, config);
  const reader = new ControlReader(link, realClock);
  const proven = await handshake(link, reader, undefined, lyingDependencies(keys));
  const id = nodeIdOf(keys.publicKey);
  if (id < proven.nodeId) link.send({ admit: {} });
  else await reader.next();
  reader.release();
  return { link, proven, id };
}

/** Accepts connections as the gateway does and hands them to the test. */
export async function rawListener(
  onLink: (link: PeerLink) => void,
  config: Record<string, unknown> = {},
): Promise<{ address: string; close(): void }> {
  const links: PeerLink[] = [];
  const listener = new PeerListener(PeersConfig.parse({ listen: '127.0.0.1:0', ...config }), {
    clock: realClock,
    certificate: makePeerCertificate,
    allowed: () => true,
    linked: (link, done) => {
      done();
      links.push(link);
      onLink(link);
    },
    breach: () => undefined,
  });
  const address = await listener.listen();
  return {
    address,
    close: () => {
      listener.close();
      for (const link of links) link.destroy();
    },
  };
}

/** Collects the frames of the control stream of a link. */
export function framesOf(link: PeerLink): { frames: PeerFrame[]; closed: () => boolean } {
  const frames: PeerFrame[] = [];
  let over = false;
  link.control.listen({
    frame: (frame) => {
      frames.push(frame);
    },
    closed: () => {
      over = true;
    },
  });
  return { frames, closed: () => over };
}

/** A TCP relay that can go deaf: it then keeps its connections and passes nothing on, as a cut cable does. */
export class Cable {
  deaf = false;
  /** Pieces of data that were passed on. */
  passed = 0;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  /** Listens; answers the address that leads to `target`. */
  async lay(target: string): Promise<string> {
    const to = parseEndpoint(target);
    if (to === undefined) throw new Error(`no address: ${target}`);
    const server = createServer((near) => {
      const far = connect(to);
      for (const [from, into] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on('data', (data) => {
          if (this.deaf) return;
          this.passed += 1;
          into.write(data);
        });
        from.on('error', () => undefined);
        from.on('close', () => {
          if (!this.deaf) into.destroy();
        });
      }
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  cut(): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
