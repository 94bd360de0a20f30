import { failure, PEER_CHUNK_BYTES, PeerFrame, type PeerStart } from '@it-chain/contracts';
import { grpcFrame } from './grpc-framing.js';

/** A message ready for the wire: its frames, which several sessions may share, and their length together. */
export interface EncodedMessage {
  readonly kind: string;
  readonly frames: readonly Buffer[];
  readonly bytes: number;
}

/** A message that has arrived whole. */
export interface ReceivedMessage extends Omit<PeerStart, 'data' | 'size'> {
  readonly body: Uint8Array;
}

/** One frame with its gRPC prefix. */
export function encodeFrame(frame: PeerFrame): Buffer {
  return grpcFrame(PeerFrame.encode(frame));
}

/** Cuts a body into frames of at most 64 KiB of it. */
export function encodeMessage(head: Omit<PeerStart, 'data' | 'size'>, body: Uint8Array): EncodedMessage {
  const start = { ...head, size: body.length, data: body.subarray(0, PEER_CHUNK_BYTES) };
  const frames = [encodeFrame({ start })];
  for (let from = PEER_CHUNK_BYTES; from < body.length; from += PEER_CHUNK_BYTES) {
    frames.push(encodeFrame({ more: { data: body.subarray(from, from + PEER_CHUNK_BYTES) } }));
  }
  return { kind: head.kind, frames, bytes: frames.reduce((sum, frame) => sum + frame.length, 0) };
}

/** Puts the messages of one lane together. Memory grows with what has arrived, never with what was announced. */
export class MessageAssembler {
  readonly #maxBytes: number;
  #start: PeerStart | undefined;
  #parts: Uint8Array[] = [];
  #size = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Takes a `start` or `more` frame; gives the message it completes.
   * @throws ERR_PEER_PROTOCOL for frames out of order or with more bytes than announced, ERR_PEER_TOO_LARGE
   */
  push(frame: PeerFrame): ReceivedMessage | undefined {
    const { start, more } = frame;
    if (start !== undefined) {
      if (this.#start !== undefined) throw failure('ERR_PEER_PROTOCOL', 'a message began inside another one');
      if (start.size > this.#maxBytes) {
        throw failure('ERR_PEER_TOO_LARGE', `a message of ${start.size} bytes where ${this.#maxBytes} are allowed`);
      }
      this.#start = start;
      return this.#add(start, start.data);
    }
    if (more === undefined || this.#start === undefined) {
      throw failure('ERR_PEER_PROTOCOL', 'a frame that does not belong on its lane now');
    }
    if (more.data.length === 0) throw failure('ERR_PEER_PROTOCOL', 'an empty piece of a message');
    return this.#add(this.#start, more.data);
  }

  #add(start: PeerStart, data: Uint8Array): ReceivedMessage | undefined {
    this.#parts.push(data);
    this.#size += data.length;
    if (this.#size > start.size) throw failure('ERR_PEER_PROTOCOL', 'a message is longer than it said');
    if (this.#size < start.size) return undefined;
    const { type, kind, id, timeoutMs, errorCode, errorMessage } = start;
    const body = this.#parts.length === 1 ? data : Buffer.concat(this.#parts);
    this.#start = undefined;
    this.#parts = [];
    this.#size = 0;
    return { type, kind, id, timeoutMs, errorCode, errorMessage, body };
  }
}
