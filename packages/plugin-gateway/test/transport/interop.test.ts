import * as grpc from '@grpc/grpc-js';
import { nodeIdOf, PeerFrame, PeerService } from '@it-chain/contracts';
import { expect } from 'chai';
import { proofContent } from '../../dist/transport/handshake.js';
import { keysOf, lyingDependencies } from './raw-peer.js';
import { codeOf, nodesOf, until } from './test-node.js';

type Frames = grpc.ClientDuplexStream<PeerFrame, PeerFrame> | grpc.ServerDuplexStream<PeerFrame, PeerFrame>;

/** The service as any gRPC library sees it. */
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

describe('the peer protocol with another gRPC implementation', function () {
  this.timeout(60_000);
  const node = nodesOf();

  /** The handshake written down once more, frame by frame, as the protocol's page says. */
  const shake = (control: Frames, end: 'dialer' | 'listener', name: string): PeerFrame[] => {
    const keys = keysOf(name);
    const deps = lyingDependencies(keys);
    const seen: PeerFrame[] = [];
    const own = { version: 1, publicKey: keys.publicKey, challenge: deps.random(32) };
    const hello = new Uint8Array(0);
    control.on('error', () => undefined);
    control.on('data', (frame: PeerFrame) => {
      seen.push(frame);
      const theirs = frame.challenge;
      if (theirs !== undefined) {
        const [dialer, listener] = end === 'dialer' ? [own, theirs] : [theirs, own];
        const facts = { security: 'plain', binding: new Uint8Array(0) } as const;
        void deps
          .sign('handshake', new Uint8Array(32), proofContent(facts, end, dialer, listener, hello))
          .then((signature) => {
            control.write({ proof: { signature, hello } });
            if (nodeIdOf(keys.publicKey) < nodeIdOf(theirs.publicKey)) control.write({ admit: {} });
          });
      }
      if (frame.ping !== undefined) control.write({ pong: frame.ping });
    });
    control.write({ challenge: own });
    return seen;
  };
  const message = (kind: string) =>
    ({
      type: 'message',
      kind,
      id: 0,
      size: 1,
      timeoutMs: 0,
      errorCode: '',
      errorMessage: '',
      data: new Uint8Array([9]),
    }) as const;

  it('a client of grpc-js dials a node', async () => {
    const a = await node('a').accept();
    const Client = grpc.makeClientConstructor(definition, 'Peer');
    const client = new Client(a.address, grpc.credentials.createInsecure());
    const open = (name: string): Frames => (client[name] as () => Frames).call(client);
    const control = open('Control');
    const bulk = open('Bulk');
    bulk.on('error', () => undefined);
    const seen = shake(control, 'dialer', 'foreign');
    await until(() => a.connected.length === 1, 'the session');
    bulk.write({ start: message('blocks') });
    await until(() => a.received.length === 1);
    expect(a.received[0]?.from).to.equal(nodeIdOf(keysOf('foreign').publicKey));
    await a.deliver('consensus', new Uint8Array([5]));
    await until(() => seen.some(({ start }) => start?.kind === 'consensus'));
    await a.transport.disconnect({ nodeId: a.received[0]?.from ?? '', code: 'ERR_DIFFERENT_NETWORK', reason: 'bye' });
    await until(() => seen.some(({ goodbye }) => goodbye?.code === 'ERR_DIFFERENT_NETWORK'));
    client.close();
  });

  it('a node dials a server of grpc-js', async () => {
    const a = await node('a').accept();
    const server = new grpc.Server();
    let seen: PeerFrame[] = [];
    let bulk: Frames | undefined;
    server.addService(definition, {
      Control: (control: Frames) => {
        seen = shake(control, 'listener', 'foreign');
      },
      Bulk: (stream: Frames) => {
        stream.on('error', () => undefined);
        bulk = stream;
      },
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
    const session = await a.transport.dial({ address: `127.0.0.1:${port}` });
    expect(session.nodeId).to.equal(nodeIdOf(keysOf('foreign').publicKey));
    bulk?.write({ start: message('blocks') });
    await until(() => a.received.length === 1);
    await a.deliver('consensus', new Uint8Array([5]));
    await until(() => seen.some(({ start }) => start?.kind === 'consensus'));
    server.forceShutdown();
    await until(() => a.gone.length === 1);
    expect(a.gone[0]?.code).to.equal('ERR_PEER_LOST');
  });

  it('other gRPC services and other methods are told apart', async () => {
    const a = await node('a').accept();
    const wrong = { Other: { ...Object.values(definition)[0], path: '/itchain.v1.Node/GetStatus' } };
    const Client = grpc.makeClientConstructor(wrong as never, 'Other');
    const client = new Client(a.address, grpc.credentials.createInsecure());
    const call = (client['Other'] as () => Frames).call(client);
    const status = await new Promise<number>((resolve) =>
      call.on('error', (error: grpc.ServiceError) => {
        resolve(error.code);
      }),
    );
    expect(status).to.equal(grpc.status.UNIMPLEMENTED);
    client.close();

    const server = new grpc.Server();
    const port = await new Promise<number>((resolve) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (_error, bound) => {
        resolve(bound);
      });
    });
    expect(await codeOf(a.transport.dial({ address: `127.0.0.1:${port}` }))).to.equal('ERR_PEER_PROTOCOL');
    server.forceShutdown();
  });
});
