import { failure, type Clock, type PeerFrame } from '@it-chain/contracts';
import { asPeerError, errorOfGoodbye } from './goodbye.js';
import type { PeerLink } from './peer-link.js';

/** Reads the control stream one frame at a time, while the handshake has not ended. */
export class ControlReader {
  readonly #link: PeerLink;
  readonly #clock: Clock;
  readonly #frames: PeerFrame[] = [];
  #waiter: { resolve(frame: PeerFrame): void; reject(error: Error): void } | undefined;
  #failed: Error | undefined;
  #deadline: () => void = () => undefined;

  constructor(link: PeerLink, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
    link.control.listen({
      frame: (frame) => {
        // One at a time: what comes behind the last frame of the handshake belongs to the session.
        link.control.pause();
        this.#take(frame);
      },
      closed: (error) => {
        this.fail(error === undefined ? lost() : asPeerError(error));
      },
    });
    void link.gone.then(() => {
      this.fail(lost());
    });
  }

  /** Fails whoever waits, `ms` from now, with ERR_PEER_TIMEOUT. Replaces the limit before. */
  limit(ms: number, step: string): void {
    this.#deadline();
    this.#deadline = this.#clock.after(ms, () => {
      this.fail(failure('ERR_PEER_TIMEOUT', `${step} took longer than ${ms} ms`, { retryable: true }));
    });
  }

  /** The next frame. @throws what {@link fail} was given, ERR_PEER_LOST, the code of a goodbye */
  next(): Promise<PeerFrame> {
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
      const frame = this.#frames.shift();
      if (frame !== undefined) this.#take(frame);
      else if (this.#failed !== undefined) this.fail(this.#failed);
      else this.#link.control.resume();
    });
  }

  /** Ends the handshake from outside. */
  fail(error: Error): void {
    this.#failed ??= error;
    this.#waiter?.reject(this.#failed);
    this.#waiter = undefined;
  }

  /** Takes the limit away. */
  cancelLimit(): void {
    this.#deadline();
  }

  /** Gives the stream to its next reader. */
  release(): void {
    this.#deadline();
    this.#link.control.listen(undefined);
    this.#link.control.resume();
  }

  #take(frame: PeerFrame): void {
    if (this.#waiter === undefined) {
      this.#frames.push(frame);
    } else if (frame.goodbye !== undefined) {
      this.fail(errorOfGoodbye(frame.goodbye));
    } else {
      const waiter = this.#waiter;
      this.#waiter = undefined;
      waiter.resolve(frame);
    }
  }
}

function lost(): Error {
  return failure('ERR_PEER_LOST', 'the peer closed the connection', { retryable: true });
}
