import type {
  ClientHttp2Session,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
  ServerStreamResponseOptions,
  SessionOptions,
} from 'node:http2';
import { failure, PeerService } from '@it-chain/contracts';
import { FrameStream } from './frame-stream.js';
import type { PeerLimits } from './peers-config.js';

/** Paths of the two streams. */
export const PATHS = {
  control: `/${PeerService.fullName}/${PeerService.methods.control.name}`,
  bulk: `/${PeerService.fullName}/${PeerService.methods.bulk.name}`,
} as const;

const CONTENT_TYPE = 'application/grpc+proto';
const UNIMPLEMENTED = '12';
const RESOURCE_EXHAUSTED = '8';

/** HTTP/2 settings of both ends: two streams, short headers, bounded memory. */
export function sessionOptions(limits: PeerLimits): SessionOptions {
  return {
    maxSessionMemory: 32,
    maxSessionInvalidFrames: 16,
    maxSessionRejectedStreams: 16,
    maxOutstandingPings: 4,
    maxHeaderListPairs: 64,
    settings: {
      enablePush: false,
      maxConcurrentStreams: 4,
      initialWindowSize: limits.windowBytes,
      maxHeaderListSize: 8_192,
    },
  } as SessionOptions;
}

/** The window of the connection is twice that of a lane, so that a full bulk lane never holds control up. */
export function widenWindow(session: ClientHttp2Session | ServerHttp2Session, limits: PeerLimits): void {
  if (!session.destroyed) session.setLocalWindowSize(limits.windowBytes * 2);
}

/** Opens a stream as a gRPC client. It fails with ERR_PEER_PROTOCOL where no peer service answers. */
export function openStream(session: ClientHttp2Session, lane: 'control' | 'bulk'): FrameStream {
  const stream = session.request({
    ':method': 'POST',
    ':path': PATHS[lane],
    'content-type': CONTENT_TYPE,
    te: 'trailers',
    'user-agent': 'it-chain',
  });
  const frames = new FrameStream(stream);
  stream.on('response', (headers) => {
    const status = headers[':status'];
    const refused = headers['grpc-status'];
    if (status !== 200 || !isGrpc(headers)) {
      frames.fail(failure('ERR_PEER_PROTOCOL', `no node answers there: HTTP status ${String(status)}`));
    } else if (refused !== undefined && refused !== '0') {
      frames.fail(failure('ERR_PEER_PROTOCOL', `the peer service is not served there: gRPC status ${String(refused)}`));
    }
  });
  return frames;
}

/** Answers a stream as a gRPC server: the lane it is for, or undefined where it was refused. */
export function acceptStream(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  taken: (lane: 'control' | 'bulk') => boolean,
): { lane: 'control' | 'bulk'; frames: FrameStream } | undefined {
  stream.on('error', () => {
    // The lane, or whoever refused it, sees the stream close.
  });
  const path = headers[':path'];
  const lane = path === PATHS.control ? 'control' : path === PATHS.bulk ? 'bulk' : undefined;
  if (headers[':method'] !== 'POST' || !isGrpc(headers)) {
    answer(stream, { ':status': 415 }, { endStream: true });
    return undefined;
  }
  if (lane === undefined || taken(lane)) {
    const status = lane === undefined ? UNIMPLEMENTED : RESOURCE_EXHAUSTED;
    answer(stream, { ':status': 200, 'content-type': CONTENT_TYPE, 'grpc-status': status }, { endStream: true });
    return undefined;
  }
  if (!answer(stream, { ':status': 200, 'content-type': CONTENT_TYPE }, { waitForTrailers: true })) return undefined;
  stream.on('wantTrailers', () => {
    if (!isOver(stream)) stream.sendTrailers({ 'grpc-status': '0' });
  });
  return { lane, frames: new FrameStream(stream) };
}

/**
 * Sends the head of an answer. A stream may be over before it is even told of, when it was opened and reset in one
 * packet; answering it then throws. @returns false where nobody waits for the answer
 */
function answer(
  stream: ServerHttp2Stream,
  headers: OutgoingHttpHeaders,
  options: ServerStreamResponseOptions,
): boolean {
  if (isOver(stream)) return false;
  stream.respond(headers, options);
  return true;
}

const isOver = (stream: ServerHttp2Stream): boolean => stream.destroyed || stream.closed;

function isGrpc(headers: IncomingHttpHeaders): boolean {
  return /^application\/grpc(?:\+proto)?$/.test(headers['content-type'] ?? '');
}
