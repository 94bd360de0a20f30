import type { Clock } from '@it-chain/contracts';
import type { FrameStream } from './frame-stream.js';

/** The frames that wait to be written to one stream. Only a few are handed to the connection at a time. */
export class OutLane {
  readonly #stream: FrameStream;
  readonly #maxInFlight: number;
  readonly #clock: Clock;
  #queue: Buffer[] = [];
  #head = 0;
  #inFlight = 0;
  #bytes = 0;
  #progressedAt: number;

  /** `maxInFlight`: frames that the connection may hold unsent. */
  constructor(stream: FrameStream, maxInFlight: number, clock: Clock) {
    this.#stream = stream;
    this.#maxInFlight = maxInFlight;
    this.#clock = clock;
    this.#progressedAt = clock.monotonic();
  }

  /** Bytes that wait, or that the connection has not taken yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How long the lane has stood still with something to send, in ms. */
  stalledFor(now: number): number {
    return this.#bytes === 0 ? 0 : now - this.#progressedAt;
  }

  push(frames: readonly Buffer[]): void {
    if (this.#bytes === 0) this.#progressedAt = this.#clock.monotonic();
    for (const frame of frames) {
      this.#queue.push(frame);
      this.#bytes += frame.length;
    }
    this.#pump();
  }

  /** Forgets everything. */
  clear(): void {
    this.#queue = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  #pump(): void {
    while (this.#inFlight < this.#maxInFlight && this.#head < this.#queue.length) {
      const frame = this.#queue[this.#head];
      this.#head += 1;
      if (this.#head > 256 || this.#head === this.#queue.length) {
        this.#queue = this.#queue.slice(this.#head);
        this.#head = 0;
      }
      if (frame === undefined) continue;
      this.#inFlight += 1;
      this.#stream.write(frame, () => {
        this.#inFlight -= 1;
        this.#bytes = Math.max(0, this.#bytes - frame.length);
        this.#progressedAt = this.#clock.monotonic();
        this.#pump();
      });
    }
  }
}
