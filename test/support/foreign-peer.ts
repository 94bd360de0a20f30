import * as grpc from '@grpc/grpc-js';
import { randomBytes } from 'node:crypto';
import {
  Hello,
  NO_NETWORK,
  PEER_PROTOCOL_VERSION,
  PeerFrame,
  PeerProofContent,
  PeerService,
  keyPairFromSeed,
  nodeIdOf,
  sha256,
  signBytes,
  signingBytes,
  utf8,
  type PeerChallenge,
} from '@it-chain/contracts';
import { until } from './until.js';

type Frames = grpc.ClientDuplexStream<PeerFrame, PeerFrame>;

/** What a foreign peer does wrong in its handshake. */
export interface Lies {
  /** Version of the protocol that it claims. */
  readonly version?: number;
  /** Signs with another key than the one it shows. */
  readonly forged?: boolean;
}

const definition = Object.fromEntries(
  Object.values(PeerService.methods).map((method) => [
    method.name,
    {
      path: `/${PeerService.fullName}/${method.name}`,
      requestStream: true,
      responseStream: true,
      requestSerialize: (frame: PeerFrame) => Buffer.from(PeerFrame.encode(frame)),
      requestDeserialize: (bytes: Buffer) => PeerFrame.decode(bytes),
      responseSerialize: (frame: PeerFrame) => Buffer.from(PeerFrame.encode(frame)),
      responseDeserialize: (bytes: Buffer) => PeerFrame.decode(bytes),
    },
  ]),
);
const Client = grpc.makeClientConstructor(definition, 'Peer');

/** A peer that is none of ours: grpc-js and the page of the protocol, so that a test may say anything at all to a node. */
export class ForeignPeer {
  readonly frames: PeerFrame[] = [];
  readonly nodeId: string;
  readonly control: Frames;
  readonly bulk: Frames;
  readonly #client: grpc.Client;

  /** Dials `address` on loopback and shakes hands. */
  constructor(address: string, name: string, lies: Lies = {}) {
    const keys = keyPairFromSeed(sha256(utf8(name)));
    const signer = lies.forged === true ? keyPairFromSeed(sha256(utf8(`${name}, forged`))) : keys;
    this.nodeId = nodeIdOf(keys.publicKey);
    this.#client = new Client(address, grpc.credentials.createInsecure());
    const open = (method: string): Frames => {
      const stream = (this.#client as unknown as Record<string, () => Frames>)[method]!.call(this.#client);
      stream.on('error', () => undefined);
      return stream;
    };
    this.control = open('Control');
    this.bulk = open('Bulk');
    this.bulk.on('data', () => undefined);
    const version = lies.version ?? PEER_PROTOCOL_VERSION;
    const own: PeerChallenge = { version, publicKey: keys.publicKey, challenge: randomBytes(32) };
    this.control.on('data', (frame: PeerFrame) => {
      this.frames.push(frame);
      if (frame.challenge !== undefined) this.#prove(own, frame.challenge, signer.secretKey);
      if (frame.ping !== undefined) this.control.write({ pong: frame.ping });
    });
    this.control.write({ challenge: own });
  }

  /** The code with which the node said goodbye. */
  goodbye(): Promise<string> {
    return until('a goodbye', () => this.frames.find(({ goodbye }) => goodbye !== undefined)?.goodbye?.code);
  }

  close(): void {
    this.#client.close();
  }

  #prove(own: PeerChallenge, theirs: PeerChallenge, secretKey: Uint8Array): void {
    const hello = Hello.encode({
      genesis: new Uint8Array(0),
      height: 0,
      name: 'foreign',
      addresses: [],
      candidate: new Uint8Array(0),
      leader: new Uint8Array(0),
    });
    const content = PeerProofContent.encode({
      version: own.version,
      role: 'dialer',
      dialerKey: own.publicKey,
      listenerKey: theirs.publicKey,
      dialerChallenge: own.challenge,
      listenerChallenge: theirs.challenge,
      security: 'plain',
      binding: new Uint8Array(0),
      helloDigest: sha256(hello),
    });
    const signature = signBytes(signingBytes('handshake', NO_NETWORK, content), secretKey);
    this.control.write({ proof: { signature, hello } });
    if (this.nodeId < nodeIdOf(theirs.publicKey)) this.control.write({ admit: {} });
  }
}
