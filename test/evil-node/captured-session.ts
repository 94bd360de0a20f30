import { connect as connectHttp2 } from 'node:http2';
import { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import {
  Hello,
  NO_NETWORK,
  PEER_BINDING_LABEL,
  PEER_PROTOCOL_VERSION,
  PeerFrame,
  PeerProofContent,
  PeerService,
  nodeIdOf,
  sha256,
  signBytes,
  signingBytes,
  type KeyPair,
  type PeerChallenge,
} from '@it-chain/contracts';
import { pathOf } from './http2-streams.js';

/** Where a node is dialled. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** How long a session is kept until all that opens it has been said, in ms. */
const SESSION_MS = 1_500;

/**
 * Opens a session to a node as `keys`, and gives every byte that was said inside TLS to open it: what whoever stands on
 * the way, and can read it, would have captured. Empty where the node did not take the session.
 */
export function captureSession(place: Place, keys: KeyPair, random: (length: number) => Uint8Array): Promise<Buffer> {
  return new Promise((resolve) => {
    const said: Buffer[] = [];
    let admitted = false;
    const socket = dial(place, () => {
      const binding = socket.exportKeyingMaterial(32, PEER_BINDING_LABEL, Buffer.alloc(0));
      const session = connectHttp2('http://peer', { createConnection: () => tapped(socket, said) });
      session.on('error', () => undefined); // The node may end it at any time; what was said counts.
      const open = (method: string) => {
        const headers = { 'content-type': 'application/grpc', te: 'trailers' };
        const stream = session.request({
          ':method': 'POST',
          ':path': pathOf(PeerService.fullName, method),
          ...headers,
        });
        stream.on('error', () => undefined); // As above.
        return stream;
      };
      const [control, bulk] = [open('Control'), open('Bulk')];
      bulk.resume();
      const own: PeerChallenge = { version: PEER_PROTOCOL_VERSION, publicKey: keys.publicKey, challenge: random(32) };
      control.write(grpcFrame({ challenge: own }));
      let read = Buffer.alloc(0);
      control.on('data', (chunk: Buffer) => {
        read = Buffer.concat([read, chunk]);
        for (let length = read.readUInt32BE(1); read.length >= 5 + length;) {
          const frame = PeerFrame.decode(read.subarray(5, 5 + length));
          read = read.subarray(5 + length);
          if (frame.challenge !== undefined)
            for (const one of proof(keys, own, frame.challenge, binding)) control.write(one);
          if (frame.admit !== undefined || frame.start !== undefined) admitted = true;
          if (read.length < 5) break;
          length = read.readUInt32BE(1);
        }
      });
    });
    setTimeout(() => {
      socket.destroy();
      resolve(admitted ? Buffer.concat(said) : Buffer.alloc(0));
    }, SESSION_MS);
  });
}

/** Says on a new connection what was captured on another one. */
export function replaySession(place: Place, captured: Uint8Array): void {
  const socket = dial(place, () => socket.write(captured));
  socket.resume();
  socket.setTimeout(SESSION_MS, () => socket.destroy());
}

function dial({ host, port }: Place, then: () => void): TLSSocket {
  const socket = connectTls(
    { host, port, rejectUnauthorized: false, minVersion: 'TLSv1.3', ALPNProtocols: ['h2'] },
    then,
  );
  socket.on('error', () => undefined); // Being cut off is what is expected.
  return socket;
}

/** The socket, with an ear on what is said into it. */
function tapped(socket: TLSSocket, said: Buffer[]): Duplex {
  const tap = new Duplex({
    write(chunk: Buffer, _encoding, done) {
      said.push(Buffer.from(chunk));
      socket.write(chunk, done);
    },
    read: () => undefined,
  });
  socket.on('data', (chunk: Buffer) => tap.push(chunk));
  socket.on('close', () => tap.destroy());
  return tap;
}

function proof(keys: KeyPair, own: PeerChallenge, theirs: PeerChallenge, binding: Uint8Array): Buffer[] {
  const none = new Uint8Array(0);
  const hello = Hello.encode({
    genesis: none,
    height: 0,
    name: 'captured',
    addresses: [],
    candidate: none,
    leader: none,
  });
  const content = PeerProofContent.encode({
    version: own.version,
    role: 'dialer',
    dialerKey: own.publicKey,
    listenerKey: theirs.publicKey,
    dialerChallenge: own.challenge,
    listenerChallenge: theirs.challenge,
    security: 'tls',
    binding,
    helloDigest: sha256(hello),
  });
  const signature = signBytes(signingBytes('handshake', NO_NETWORK, content), keys.secretKey);
  const frames = [grpcFrame({ proof: { signature, hello } })];
  return nodeIdOf(keys.publicKey) < nodeIdOf(theirs.publicKey) ? [...frames, grpcFrame({ admit: {} })] : frames;
}

/** A frame as a gRPC message. */
function grpcFrame(frame: Partial<PeerFrame>): Buffer {
  const bytes = PeerFrame.encode(frame as PeerFrame);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}
