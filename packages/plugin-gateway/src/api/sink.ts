import { failure, type Cancel, type Clock } from '@it-chain/contracts';

/** The part of a gRPC stream that a sink writes to. */
export interface ByteStream {
  write(chunk: Buffer, callback: () => void): boolean;
}

/** How much may be on its way to a follower, and for how long it may read nothing. */
export interface SinkLimits {
  readonly maxBytes: number;
  readonly stalledMs: number;
}

/**
 * Sends messages to one follower with a bound on what is under way. `write` waits while the bound is used up, so whoever
 * fills it from the chain reads no faster than the follower does.
 */
export class Sink<T> {
  #pending = 0;
  #room: (() => void) | undefined;
  readonly #limits: SinkLimits;
  readonly #dependencies: {
    readonly stream: ByteStream;
    readonly encode: (value: T) => Buffer;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  };

  constructor(
    limits: SinkLimits,
    dependencies: {
      readonly stream: ByteStream;
      readonly encode: (value: T) => Buffer;
      readonly clock: Clock;
      /** Aborted when the follower has gone or the node stops. */
      readonly signal: AbortSignal;
    },
  ) {
    this.#limits = limits;
    this.#dependencies = dependencies;
  }

  get signal(): AbortSignal {
    return this.#dependencies.signal;
  }

  /** Bytes that the follower has not taken yet. */
  get pending(): number {
    return this.#pending;
  }

  /** Sends, and resolves when there is room for more. @throws ERR_API_SLOW_SUBSCRIBER where nothing was read for too long */
  async write(value: T): Promise<void> {
    if (this.signal.aborted) return;
    const bytes = this.#dependencies.encode(value);
    this.#pending += bytes.length;
    this.#dependencies.stream.write(bytes, () => {
      this.#pending -= bytes.length;
      this.#room?.();
    });
    while (this.#isFull()) await this.#waitForRoom();
  }

  #isFull(): boolean {
    return this.#pending > this.#limits.maxBytes && !this.signal.aborted;
  }

  #waitForRoom(): Promise<void> {
    return new Promise((resolve, reject) => {
      const { clock } = this.#dependencies;
      const cancel: Cancel = clock.after(this.#limits.stalledMs, () => {
        done();
        reject(
          failure(
            'ERR_API_SLOW_SUBSCRIBER',
            `the follower has read nothing for ${this.#limits.stalledMs} ms while ${this.#pending} bytes wait for it`,
          ),
        );
      });
      const finish = (): void => {
        done();
        resolve();
      };
      const done = (): void => {
        cancel();
        this.#room = undefined;
        this.signal.removeEventListener('abort', finish);
      };
      this.#room = finish;
      this.signal.addEventListener('abort', finish);
    });
  }
}
