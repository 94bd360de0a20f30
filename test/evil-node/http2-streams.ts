import { gzipSync } from 'node:zlib';

const MiB = 1024 * 1024;
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** An HTTP/2 frame. */
function h2(type: number, flags: number, stream: number, payload: Uint8Array, length = payload.length): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** HPACK of the request that opens a lane: literal fields without indexing. */
function request(path: string, extra: readonly (readonly [string, string])[] = []): Buffer {
  const fields: readonly (readonly [string, string])[] = [
    [':method', 'POST'],
    [':scheme', 'https'],
    [':path', path],
    [':authority', 'evil'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ...extra,
  ];
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value);
    if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
    const rest: number[] = [];
    let left = bytes.length - 127;
    for (; left >= 128; left = Math.floor(left / 128)) rest.push((left % 128) | 128);
    return Buffer.concat([Buffer.from([127, ...rest, left]), bytes]);
  };
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

/** A gRPC message with a head that may lie. */
function grpc(payload: Uint8Array, compressed = 0, length = payload.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, payload]);
}

/** The path of a method. */
export const pathOf = (service: string, method: string): string => `/${service}/${method}`;

/** What no correct client sends to a gRPC server, each a whole connection from its first byte on. */
export function malformedStreams(path: string, random: (length: number) => Uint8Array): Buffer[] {
  const settings = h2(4, 0, 0, Buffer.alloc(0));
  const open = Buffer.concat([PREFACE, settings, h2(1, 4, 1, request(path))]);
  const data = (payload: Uint8Array): Buffer => Buffer.concat([open, h2(0, 0, 1, payload)]);
  const bomb = gzipSync(Buffer.alloc(8 * MiB));
  return [
    Buffer.from(random(2_000)),
    Buffer.concat([PREFACE, Buffer.from(random(2_000))]),
    // Lengths that lie: of a frame, of a gRPC message.
    Buffer.concat([open, h2(0, 0, 1, Buffer.alloc(16), 0xffffff)]),
    data(grpc(Buffer.alloc(16), 0, 0xffffffff)),
    data(grpc(bomb.subarray(0, 16_000), 1)),
    data(grpc(Buffer.from(random(500)))),
    data(grpc(Buffer.alloc(16_000, 0x0a))),
    Buffer.concat([PREFACE, settings, h2(1, 4, 1, request('/no.such.Service/Call'))]),
    Buffer.concat([PREFACE, settings, h2(1, 4, 1, request(path, [['x', 'y'.repeat(16_000)]]))]),
    // A HEADERS frame of 65 KB, and CONTINUATION frames without end.
    Buffer.concat([
      PREFACE,
      settings,
      h2(1, 0, 1, Buffer.alloc(16_000)),
      ...repeat(h2(9, 0, 1, Buffer.alloc(16_000)), 20),
    ]),
    Buffer.concat([PREFACE, settings, ...repeat(h2(6, 0, 0, Buffer.alloc(8)), 2_000)]),
    Buffer.concat([PREFACE, settings, ...Array.from({ length: 500 }, (_, index) => resets(2 * index + 1, path))]),
  ];
}

/** Opens a stream and resets it at once (CVE-2023-44487). */
function resets(stream: number, path: string): Buffer {
  return Buffer.concat([h2(1, 4, stream, request(path)), h2(3, 0, stream, Buffer.from([0, 0, 0, 8]))]);
}

const repeat = (frame: Buffer, count: number): Buffer[] => Array.from({ length: count }, () => frame);
