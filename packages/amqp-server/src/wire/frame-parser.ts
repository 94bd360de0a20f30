import { ReplyError } from './reply-error.js';
import { FRAME } from './spec.js';

/** Receives each complete frame; `owned` tells that the bytes belong to this frame alone and may be kept. */
export type FrameHandler = (
  type: number,
  channel: number,
  bytes: Buffer,
  start: number,
  end: number,
  owned: boolean,
) => void;

const HEAD = 7;

/** Cuts the octets of a connection into frames (section 4.2.3). It holds at most one incomplete frame. */
export class FrameParser {
  /** Largest frame accepted, with its eight octets of overhead. */
  maxFrame: number;
  #stopped = false;
  readonly #onFrame: FrameHandler;
  readonly #head = Buffer.allocUnsafeSlow(HEAD);
  #headLength = 0;
  #frame: Buffer | undefined;
  #frameLength = 0;

  constructor(maxFrame: number, onFrame: FrameHandler) {
    this.maxFrame = maxFrame;
    this.#onFrame = onFrame;
  }

  /** Ignores everything from now on, also what is left of the chunk being parsed. */
  stop(): void {
    this.#stopped = true;
    this.#frame = undefined;
  }

  /** Parses one chunk. Throws 501 for a malformed frame; the parser must not be used afterwards. */
  push(chunk: Buffer): void {
    let at = this.#headLength > 0 || this.#frame !== undefined ? this.#continueFrame(chunk) : 0;
    const length = chunk.length;
    while (!this.#stopped && length - at >= HEAD) {
      const size = chunk.readUInt32BE(at + 3);
      this.#checkHead(chunk.readUInt8(at), size);
      const end = at + HEAD + size;
      if (end >= length) break;
      this.#checkEnd(chunk, end);
      this.#onFrame(chunk.readUInt8(at), chunk.readUInt16BE(at + 1), chunk, at + HEAD, end, false);
      at = end + 1;
    }
    if (!this.#stopped && at < length) this.#hold(chunk, at);
  }

  #hold(chunk: Buffer, at: number): void {
    if (chunk.length - at < HEAD) {
      this.#headLength = chunk.copy(this.#head, 0, at);
      return;
    }
    this.#beginFrame(chunk, at);
    this.#frameLength += chunk.copy(this.#owned(), HEAD, at + HEAD);
  }

  #beginFrame(head: Buffer, at: number): void {
    const size = head.readUInt32BE(at + 3);
    this.#checkHead(head.readUInt8(at), size);
    this.#frame = Buffer.allocUnsafe(size + FRAME.overhead);
    head.copy(this.#frame, 0, at, at + HEAD);
    this.#frameLength = HEAD;
  }

  #owned(): Buffer {
    if (this.#frame === undefined) throw new TypeError('no frame has begun');
    return this.#frame;
  }

  /** Adds a chunk to the frame held; returns how many octets of the chunk it took. */
  #continueFrame(chunk: Buffer): number {
    let at = 0;
    if (this.#frame === undefined) {
      at = chunk.copy(this.#head, this.#headLength, 0, HEAD - this.#headLength);
      this.#headLength += at;
      if (this.#headLength < HEAD) return at;
      this.#headLength = 0;
      this.#beginFrame(this.#head, 0);
    }
    const frame = this.#owned();
    const taken = chunk.copy(frame, this.#frameLength, at);
    this.#frameLength += taken;
    if (this.#frameLength === frame.length) {
      this.#frame = undefined;
      const end = frame.length - 1;
      this.#checkEnd(frame, end);
      this.#onFrame(frame.readUInt8(0), frame.readUInt16BE(1), frame, HEAD, end, true);
    }
    return at + taken;
  }

  #checkHead(type: number, size: number): void {
    if (type !== FRAME.method && type !== FRAME.header && type !== FRAME.body && type !== FRAME.heartbeat) {
      throw new ReplyError('FRAME_ERROR', `unknown frame type ${type}`);
    }
    if (size + FRAME.overhead > this.maxFrame) {
      throw new ReplyError('FRAME_ERROR', `frame of ${size + FRAME.overhead} octets; at most ${this.maxFrame} agreed`);
    }
  }

  #checkEnd(bytes: Buffer, end: number): void {
    const octet = bytes.readUInt8(end);
    if (octet !== FRAME.end)
      throw new ReplyError('FRAME_ERROR', `frame ends in octet ${octet} instead of ${FRAME.end}`);
  }
}
