import type { ServerHttp2Stream } from 'node:http2';
import { acceptStream } from '../../dist/transport/grpc-http2.js';
import { PEER_CHUNK_BYTES, PEER_MAX_FRAME_BYTES, PeerFrame } from '@it-chain/contracts';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { PeersConfig } from '@it-chain/plugin-gateway';
import { isLoopback, parseDialTarget, parseEndpoint } from '../../dist/transport/address.js';
import { BanList } from '../../dist/transport/ban-list.js';
import { GrpcDeframer, grpcFrame } from '../../dist/transport/grpc-framing.js';
import { encodeMessage, MessageAssembler } from '../../dist/transport/peer-messages.js';
import { TokenBucket } from '../../dist/transport/token-bucket.js';

const head = { type: 'message', kind: 'k', id: 0, timeoutMs: 0, errorCode: '', errorMessage: '' } as const;

describe('gRPC framing', () => {
  it('finds the same messages however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 })),
        fc.array(fc.integer({ min: 1, max: 50 })),
        (messages, cuts) => {
          const wire = Buffer.concat(messages.map(grpcFrame));
          const deframer = new GrpcDeframer();
          const found: string[] = [];
          for (let at = 0, turn = 0; at < wire.length; turn += 1) {
            const length = cuts[turn % cuts.length] ?? wire.length;
            for (const one of deframer.push(wire.subarray(at, at + length)))
              found.push(Buffer.from(one).toString('hex'));
            at += length;
          }
          expect(found).to.deep.equal(messages.map((one) => Buffer.from(one).toString('hex')));
        },
      ),
    );
  });

  it('refuses lengths past the limit and compressed messages before it holds them', () => {
    const long = Buffer.alloc(5);
    long.writeUInt32BE(PEER_MAX_FRAME_BYTES + 1, 1);
    expect(() => new GrpcDeframer().push(long))
      .to.throw()
      .with.property('code', 'ERR_PEER_TOO_LARGE');
    expect(() => new GrpcDeframer().push(Buffer.from([1, 0, 0, 0, 0])))
      .to.throw()
      .with.property('code', 'ERR_PEER_PROTOCOL');
  });

  it('ends in a message or a named error for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const assembler = new MessageAssembler(1_000);
        try {
          for (const one of new GrpcDeframer().push(bytes)) assembler.push(PeerFrame.decode(one));
        } catch (error) {
          expect((error as { code?: string }).code).to.match(/^ERR_(PEER|DATA)_/);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('messages in pieces', () => {
  it('come together again, in frames of at most 64 KiB of body', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5 * PEER_CHUNK_BYTES }), (size) => {
        const body = Buffer.alloc(size, size % 251);
        const assembler = new MessageAssembler(5 * PEER_CHUNK_BYTES);
        const { frames } = encodeMessage(head, body);
        expect(Math.max(...frames.map((frame) => frame.length))).to.be.lessThan(PEER_CHUNK_BYTES + 64);
        const read = frames.map((frame) => assembler.push(PeerFrame.decode(frame.subarray(5))));
        expect(read.slice(0, -1).every((one) => one === undefined)).to.equal(true);
        expect(Buffer.from(read.at(-1)?.body ?? []).equals(body)).to.equal(true);
      }),
      { numRuns: 50 },
    );
  });

  it('are refused when too long, out of order or longer than they said', () => {
    const start = { ...head, size: 10, data: new Uint8Array(5) };
    const wrong = (...frames: PeerFrame[]) => {
      const assembler = new MessageAssembler(100);
      return () => {
        for (const frame of frames) assembler.push(frame);
      };
    };
    expect(wrong({ start: { ...start, size: 101 } }))
      .to.throw()
      .with.property('code', 'ERR_PEER_TOO_LARGE');
    expect(wrong({ more: { data: new Uint8Array(1) } }))
      .to.throw()
      .with.property('code', 'ERR_PEER_PROTOCOL');
    expect(wrong({ start }, { start })).to.throw().with.property('code', 'ERR_PEER_PROTOCOL');
    expect(wrong({ start }, { more: { data: new Uint8Array(6) } }))
      .to.throw()
      .with.property('code', 'ERR_PEER_PROTOCOL');
    expect(wrong({ start }, { more: { data: new Uint8Array(0) } }))
      .to.throw()
      .with.property('code', 'ERR_PEER_PROTOCOL');
    expect(wrong({ start }, { admit: {} }))
      .to.throw()
      .with.property('code', 'ERR_PEER_PROTOCOL');
  });
});

describe('a token bucket', () => {
  it('never lets more through than burst and rate allow', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 1, max: 50 }))), (steps) => {
        const bucket = new TokenBucket(100, 200);
        let now = 0;
        let taken = 0;
        for (const [pause, amount] of steps) {
          now += pause;
          taken += amount;
          now += bucket.take(amount, now);
          expect(taken).to.be.at.most(200 + (now * 100) / 1_000 + 1e-6);
        }
      }),
    );
  });
});

describe('a ban', () => {
  const options = { bad: 5, badMs: 60_000, banMs: 600_000, maxBanMs: 2_400_000 };

  it('follows five breaches in a minute, doubles, and has an end', () => {
    const bans = new BanList(options);
    const five = (now: number): number[] => [1, 2, 3, 4, 5].map(() => bans.breach('x', now));
    expect(five(0)).to.deep.equal([0, 0, 0, 0, 600_000]);
    expect(bans.remaining('x', 599_999)).to.equal(1);
    expect(bans.remaining('x', 600_000)).to.equal(0);
    expect(five(700_000).at(-1)).to.equal(1_200_000);
    expect(five(2_000_000).at(-1)).to.equal(2_400_000);
    expect(five(5_000_000).at(-1)).to.equal(2_400_000);
    expect(bans.remaining('y', 0)).to.equal(0);
  });

  it('does not follow breaches that lie apart', () => {
    const bans = new BanList(options);
    for (let time = 0; time < 100; time += 1) expect(bans.breach('x', time * 15_001)).to.equal(0);
  });
});

describe('addresses', () => {
  it('are read with and without an id, and with brackets', () => {
    const id = '4uQeVj5tqViQh7yWWGStvkEG1Zmhx6uasJtWCJziofM';
    expect(parseDialTarget('10.0.0.1:7000')).to.deep.equal({ host: '10.0.0.1', port: 7000, nodeId: undefined });
    expect(parseDialTarget(`${id}@[::1]:7`)).to.deep.equal({ host: '::1', port: 7, nodeId: id });
    for (const bad of ['', 'x', 'x:', ':1', 'a b:1', '::1:7', 'h:0', 'h:65536', 'short@h:1', 'http://h:1', `${id}@h`]) {
      expect(() => parseDialTarget(bad), bad)
        .to.throw()
        .with.property('code', 'ERR_PEER_ADDRESS');
    }
    expect(parseEndpoint('0.0.0.0:0')).to.deep.equal({ host: '0.0.0.0', port: 0 });
  });

  it('know loopback', () => {
    for (const yes of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'])
      expect(isLoopback(yes), yes).to.equal(true);
    for (const no of ['10.0.0.1', '::2', '128.0.0.1', '::ffff:10.0.0.1', undefined])
      expect(isLoopback(no)).to.equal(false);
  });
});

describe('the section peers', () => {
  it('has defaults and names what is wrong', () => {
    expect(PeersConfig.parse(undefined).listen).to.equal('127.0.0.1:7000');
    const issues = (value: unknown) => PeersConfig.safeParse(value).error?.issues.map(({ path }) => path.join('.'));
    expect(issues({ listen: '0.0.0.0:7000' })).to.deep.equal(['advertise']);
    expect(issues({ listen: '[::]:7000' })).to.deep.equal(['advertise']);
    expect(issues({ listen: '0.0.0.0:7000', advertise: 'node.example:7000' })).to.equal(undefined);
    expect(issues({ insecure: true, tls: 'always' })).to.deep.equal(['insecure']);
    expect(issues({ listen: 'nowhere' })).to.deep.equal(['listen']);
    expect(issues({ limits: { inbound: 0 } })).to.deep.equal(['limits.inbound']);
    expect(issues({ lisen: '127.0.0.1:7000' })).to.deep.equal(['']);
  });
});

describe('a stream that is over before it is answered', () => {
  const over = (): ServerHttp2Stream => {
    const fails = (): never => {
      throw new Error('ERR_HTTP2_INVALID_STREAM');
    };
    const stream = { destroyed: false, closed: true, on: () => stream, respond: fails, sendTrailers: fails };
    return stream as unknown as ServerHttp2Stream;
  };
  const head = { ':method': 'POST', ':path': '/itchain.peer.v1.Peer/Control', 'content-type': 'application/grpc' };

  it('is let go, whatever it asked for: opened and reset in one packet it ended the process', () => {
    expect(acceptStream(over(), head, () => false)).to.equal(undefined);
    expect(acceptStream(over(), head, () => true)).to.equal(undefined);
    expect(acceptStream(over(), { ...head, ':path': '/nothing' }, () => false)).to.equal(undefined);
    expect(acceptStream(over(), { ...head, ':method': 'GET' }, () => false)).to.equal(undefined);
  });
});
