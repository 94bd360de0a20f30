import { messageOf, type IncomingMessage, type Log } from '@it-chain/contracts';
import { Fifo } from './fifo.js';

/** The bounded queue of one listener: handles one message at a time and drops the oldest when it is full. */
export class Inbox {
  readonly #maxQueued: number;
  readonly #handler: (message: IncomingMessage) => void | Promise<void>;
  readonly #log: Log;
  readonly #onDrop: () => void;
  readonly #queue = new Fifo<IncomingMessage>();
  #busy = false;
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(
    options: { readonly maxQueued: number },
    dependencies: {
      readonly handler: (message: IncomingMessage) => void | Promise<void>;
      readonly log: Log;
      readonly onDrop: () => void;
    },
  ) {
    this.#maxQueued = options.maxQueued;
    this.#handler = dependencies.handler;
    this.#log = dependencies.log;
    this.#onDrop = dependencies.onDrop;
  }

  push(message: IncomingMessage): void {
    if (this.#closed) return;
    this.#queue.push(message);
    if (this.#queue.length > this.#maxQueued) {
      this.#queue.shift();
      this.#onDrop();
    }
    if (!this.#busy) void this.#drain();
  }

  /** Hands over nothing more; what is being handled goes on. */
  close(): void {
    this.#closed = true;
    this.#queue.clear();
  }

  /** Resolves when nothing is being handled. */
  whenIdle(): Promise<void> {
    if (!this.#busy) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    for (let message = this.#queue.shift(); message !== undefined; message = this.#queue.shift()) {
      try {
        await this.#handler(message);
      } catch (error) {
        this.#log.warn('a listener failed', { address: message.address, reason: messageOf(error) });
      }
    }
    this.#busy = false;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}
