import type { Http2Session } from 'node:http2';
import type { Clock, PeerFrame, PeerGoodbye } from '@it-chain/contracts';
import type { FrameStream, FrameStreamEvents } from './frame-stream.js';
import { encodeFrame } from './peer-messages.js';

/** How long a goodbye may take to reach the other end before the connection is cut, in ms. */
const GOODBYE_MS = 500;

/** Facts of a connection. */
export interface LinkFacts {
  readonly direction: 'inbound' | 'outbound';
  /** `host:port` as dialled or as seen. */
  readonly address: string;
  /** Address of the other end without its port. */
  readonly remote: string;
  readonly security: 'plain' | 'tls';
  /** 32 bytes of the TLS exporter, or empty. */
  readonly binding: Uint8Array;
}

/** A connection with its two streams, before and after somebody proved who is at its other end. */
export class PeerLink implements LinkFacts {
  readonly direction: 'inbound' | 'outbound';
  readonly address: string;
  readonly remote: string;
  readonly security: 'plain' | 'tls';
  readonly binding: Uint8Array;
  readonly control: FrameStream;
  readonly bulk: FrameStream;
  /** Resolves when the connection is closed. */
  readonly gone: Promise<void>;
  readonly #session: Http2Session;
  readonly #clock: Clock;
  #leaving = false;

  constructor(
    facts: LinkFacts,
    streams: { control: FrameStream; bulk: FrameStream },
    session: Http2Session,
    clock: Clock,
  ) {
    this.direction = facts.direction;
    this.address = facts.address;
    this.remote = facts.remote;
    this.security = facts.security;
    this.binding = facts.binding;
    this.control = streams.control;
    this.bulk = streams.bulk;
    this.#session = session;
    this.#clock = clock;
    this.gone = new Promise((resolve) => {
      if (session.destroyed) resolve();
      else session.once('close', resolve);
    });
  }

  /** Sends a frame on the control stream. */
  send(frame: PeerFrame): void {
    this.control.write(encodeFrame(frame));
  }

  /**
   * Tells the other end why, then ends the connection: the other end closes it when it has read the goodbye. What still
   * arrives is thrown away, so that no reset of TCP eats the goodbye.
   */
  leave(goodbye: PeerGoodbye): void {
    if (this.#leaving) return;
    this.#leaving = true;
    const cancel = this.#clock.after(GOODBYE_MS, () => {
      this.#session.destroy();
    });
    const over = (): void => {
      this.destroy();
    };
    const ignore: FrameStreamEvents = {
      frame: ({ goodbye: theirs }) => {
        if (theirs !== undefined) over();
      },
      closed: over,
    };
    for (const stream of [this.control, this.bulk]) {
      stream.listen(ignore);
      stream.resume();
    }
    this.#session.once('close', cancel);
    this.send({ goodbye: { code: goodbye.code.slice(0, 64), reason: goodbye.reason.slice(0, 512) } });
    // Only this lane: an end of the other one could be seen before the goodbye.
    this.control.end();
    if (this.#session.destroyed) cancel();
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#leaving = true;
    // Never from inside a read of the same connection: Node's HTTP/2 is still working on what arrived.
    setImmediate(() => {
      this.#session.destroy();
    });
  }

  get destroyed(): boolean {
    return this.#session.destroyed;
  }
}
