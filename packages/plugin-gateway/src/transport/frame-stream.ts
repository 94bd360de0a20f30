import type { Http2Stream } from 'node:http2';
import { failure, messageOf, PeerFrame } from '@it-chain/contracts';
import { GrpcDeframer } from './grpc-framing.js';

/** What a {@link FrameStream} tells its owner. */
export interface FrameStreamEvents {
  /** A frame and its length on the wire. */
  frame(frame: PeerFrame, bytes: number): void;
  /** The stream is over; with an error where it broke or carried what it must not. Called once. */
  closed(error: Error | undefined): void;
}

/**
 * One gRPC stream of a connection: frames in, encoded frames out. Reads only while somebody listens and it is not
 * paused, so that HTTP/2's flow control holds the sender back.
 */
export class FrameStream {
  readonly #stream: Http2Stream;
  readonly #deframer = new GrpcDeframer();
  readonly #waiting: Uint8Array[] = [];
  #events: FrameStreamEvents | undefined;
  #paused = false;
  #ended = false;
  #closed = false;
  #error: Error | undefined;

  constructor(stream: Http2Stream) {
    this.#stream = stream;
    stream.on('data', (chunk: Buffer) => {
      this.#take(chunk);
    });
    stream.on('error', (error) => {
      this.#error ??= error;
    });
    stream.on('end', () => {
      this.#end(undefined);
    });
    stream.on('close', () => {
      this.#end(this.#error);
    });
    stream.pause();
  }

  /** Hands all frames to `events` from now on; undefined stops reading. */
  listen(events: FrameStreamEvents | undefined): void {
    this.#events = events;
    this.#dispatch();
    if (this.#closed) events?.closed(this.#error);
  }

  /** Stops reading until {@link resume}. */
  pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#dispatch();
  }

  /** Writes an encoded gRPC frame; `done` is called when the connection has taken it, or never. */
  write(frame: Uint8Array, done?: () => void): void {
    if (this.#closed || this.#stream.destroyed || this.#stream.writableEnded) return;
    this.#stream.write(frame, (error) => {
      if (error === undefined || error === null) done?.();
    });
  }

  /** Ends this side of the stream after what was written. */
  end(): void {
    if (!this.#stream.destroyed && !this.#stream.writableEnded) this.#stream.end();
  }

  /** Ends the stream as broken: what is told to the owner is `error`. */
  fail(error: Error): void {
    this.#finish(error);
    // Never from inside a read of the same connection: see PeerLink.destroy.
    setImmediate(() => {
      this.#stream.destroy();
    });
  }

  #take(chunk: Buffer): void {
    if (this.#closed) return;
    try {
      for (const frame of this.#deframer.push(chunk)) this.#waiting.push(frame);
    } catch (error) {
      this.fail(error as Error);
      return;
    }
    this.#dispatch();
  }

  #dispatch(): void {
    while (this.#events !== undefined && !this.#paused && !this.#closed) {
      const bytes = this.#waiting.shift();
      if (bytes === undefined) {
        if (this.#ended) this.#finish(this.#error);
        else this.#stream.resume();
        return;
      }
      let frame: PeerFrame;
      try {
        frame = PeerFrame.decode(bytes);
      } catch (error) {
        this.fail(failure('ERR_PEER_PROTOCOL', `a frame that cannot be read: ${messageOf(error)}`, { cause: error }));
        return;
      }
      this.#events.frame(frame, bytes.length);
    }
    if (!this.#closed) this.#stream.pause();
  }

  /** The other end has said all: what has arrived is still handed on. */
  #end(error: Error | undefined): void {
    if (this.#closed) return;
    this.#ended = true;
    this.#error ??= error;
    if (this.#waiting.length === 0) this.#finish(this.#error);
    else this.#dispatch();
  }

  #finish(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    this.#waiting.length = 0;
    this.#events?.closed(error);
  }
}
