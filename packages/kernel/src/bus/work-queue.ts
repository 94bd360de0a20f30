import { messageOf, type Cancel, type Clock, type IncomingMessage, type Log } from '@it-chain/contracts';
import { Fifo } from './fifo.js';

/** How often a message comes again after its handler failed, before it is a dead letter. */
export const MAX_REDELIVERIES = 5;

/** A handler of the messages of a {@link WorkQueue}. */
export interface Worker {
  readonly handler: (message: IncomingMessage) => Promise<void>;
  readonly concurrency: number;
}

interface Item {
  readonly message: IncomingMessage;
  /** Times the handler has failed. */
  failures: number;
  delivered: boolean;
}

interface Seat extends Worker {
  running: number;
  closed: boolean;
  /** Retries that wait for their pause; the item goes back to the queue when the worker leaves. */
  readonly pausing: Map<Item, Cancel>;
  readonly inHand: Set<Item>;
  idle: (() => void)[];
}

/** A worker that was attached. */
export interface Attached {
  /** Takes nothing more. What is in hand may finish within the promise; `drop` puts it back for another worker. */
  detach(): { readonly idle: Promise<void>; drop(): void };
}

/** Options of a {@link WorkQueue}. */
export interface WorkQueueOptions {
  /** Messages it holds; {@link WorkQueue.push} answers false past it, or drops the oldest. */
  readonly maxQueued: number;
  /** First pause before a failed message comes again, in ms; it doubles each time. */
  readonly retryDelayMs: number;
  readonly whenFull: 'refuse' | 'drop-oldest';
}

/** A queue whose messages are handed out until a handler has succeeded, at most six times, and then are dead letters. */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onDead: (message: IncomingMessage) => void;
  readonly #items = new Fifo<Item>();
  readonly #seats: Seat[] = [];

  constructor(
    options: WorkQueueOptions,
    dependencies: {
      readonly clock: Clock;
      readonly log: Log;
      readonly onDead: (message: IncomingMessage) => void;
    },
  ) {
    this.#options = options;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#onDead = dependencies.onDead;
  }

  get isFull(): boolean {
    return this.#items.length >= this.#options.maxQueued;
  }

  get hasWorker(): boolean {
    return this.#seats.length > 0;
  }

  push(message: IncomingMessage): void {
    if (this.isFull && this.#options.whenFull === 'drop-oldest') this.#items.shift();
    this.#items.push({ message, failures: 0, delivered: false });
    this.#pump();
  }

  attach(worker: Worker): Attached {
    const seat: Seat = { ...worker, running: 0, closed: false, pausing: new Map(), inHand: new Set(), idle: [] };
    this.#seats.push(seat);
    this.#pump();
    return { detach: () => this.#detach(seat) };
  }

  #detach(seat: Seat): { readonly idle: Promise<void>; drop(): void } {
    const at = this.#seats.indexOf(seat);
    if (at >= 0) this.#seats.splice(at, 1);
    seat.closed = true;
    for (const [item, cancel] of seat.pausing) {
      cancel();
      this.#giveBack(seat, item);
    }
    const idle = seat.inHand.size === 0 ? Promise.resolve() : new Promise<void>((resolve) => seat.idle.push(resolve));
    const drop = (): void => {
      for (const item of [...seat.inHand].reverse()) this.#giveBack(seat, item);
    };
    this.#pump();
    return { idle, drop };
  }

  #pump(): void {
    for (const seat of this.#seats) {
      while (seat.running < seat.concurrency) {
        const item = this.#items.shift();
        if (item === undefined) return;
        seat.running += 1;
        seat.inHand.add(item);
        void this.#handle(seat, item);
      }
    }
  }

  async #handle(seat: Seat, item: Item): Promise<void> {
    const { message } = item;
    try {
      const handed = item.delivered ? { ...message, redelivered: true } : message;
      item.delivered = true;
      await seat.handler(handed);
    } catch (error) {
      // Not in hand: the worker was gone before, and the message is back in the queue already.
      if (seat.inHand.has(item)) this.#fail(seat, item, error);
      return;
    }
    if (seat.inHand.has(item)) this.#release(seat, item);
  }

  #fail(seat: Seat, item: Item, error: unknown): void {
    const { address, messageId } = item.message;
    item.failures += 1;
    this.#log.warn('a message was not handled', {
      address,
      messageId,
      failures: item.failures,
      reason: messageOf(error),
    });
    if (item.failures > MAX_REDELIVERIES) {
      this.#release(seat, item);
      this.#onDead(item.message);
      return;
    }
    if (seat.closed) {
      this.#giveBack(seat, item);
      this.#pump();
      return;
    }
    // The place stays taken during the pause, so that a queue of one worker keeps its order.
    const pause = this.#options.retryDelayMs * 2 ** (item.failures - 1);
    seat.pausing.set(
      item,
      this.#clock.after(pause, () => {
        seat.pausing.delete(item);
        void this.#handle(seat, item);
      }),
    );
  }

  #giveBack(seat: Seat, item: Item): void {
    this.#items.unshift(item);
    this.#release(seat, item);
  }

  #release(seat: Seat, item: Item): void {
    seat.inHand.delete(item);
    seat.pausing.delete(item);
    seat.running -= 1;
    if (seat.inHand.size === 0) {
      for (const resolve of seat.idle) resolve();
      seat.idle = [];
    }
    if (!seat.closed) this.#pump();
  }
}
