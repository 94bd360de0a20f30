import type { Clock, IncomingMessage, IncomingRequest, Log } from '@it-chain/contracts';
import { Fifo } from './fifo.js';
import type { Inbox } from './inbox.js';
import { WorkQueue } from './work-queue.js';

/** One step of a message on its way: the scheduler decides when it happens. */
export interface Delivery {
  readonly kind: 'request' | 'answer' | 'event' | 'task' | 'transient';
  readonly address: string;
  readonly body: Uint8Array;
  /** Makes it happen. A second call delivers a duplicate; an answer counts once. */
  run(): void;
}

/**
 * Orders deliveries. It must not run one on the spot. Only transient messages may be dropped without breaking what a bus
 * promises; a request that is never run fails at its deadline.
 */
export type Schedule = (delivery: Delivery) => void;

/** Limits of a {@link MemoryBroker}. */
export interface MemoryBrokerOptions {
  readonly schedule?: Schedule | undefined;
  /** Messages of one durable subscriber or task address; then the oldest event is dropped, a task refused. Default 100,000. */
  readonly maxQueued?: number | undefined;
  /** Dead letters that are kept, the newest. Default 1,000. */
  readonly maxDeadLetters?: number | undefined;
  /** First pause before a failed message comes again, in ms; it doubles each time. Default 100. */
  readonly retryDelayMs?: number | undefined;
}

/** What a bus registered for one role. */
export interface ServedRole {
  readonly addresses: ReadonlySet<string>;
  readonly handler: (request: IncomingRequest) => Promise<Uint8Array>;
  readonly inHand: Set<PendingRequest>;
  /** Resolvers of those who wait until nothing is in hand. */
  idle: (() => void)[];
}

/** A request that has no answer yet. */
export interface PendingRequest {
  readonly address: string;
  readonly deadline: number;
  settle(outcome: { readonly answer: Uint8Array } | { readonly error: Error }): void;
}

/**
 * What the buses of one node share: its providers, subscribers and queues. One broker is one namespace; a second
 * `MemoryBus` on it stands for a second process of the same node.
 */
export class MemoryBroker {
  readonly schedule: Schedule;
  readonly roles = new Map<string, ServedRole>();
  readonly subscribers = new Map<string, Set<Inbox>>();
  readonly listeners = new Map<string, Set<Inbox>>();
  readonly #durable = new Map<string, { readonly queue: WorkQueue; addresses: Set<string> }>();
  readonly #tasks = new Map<string, WorkQueue>();
  readonly #deadLetters = new Fifo<IncomingMessage>();
  readonly #roleWaiters = new Map<string, Set<() => void>>();
  readonly #maxQueued: number;
  readonly #maxDeadLetters: number;
  readonly #retryDelayMs: number;

  constructor(options: MemoryBrokerOptions = {}) {
    this.schedule = options.schedule ?? createTurnSchedule();
    this.#maxQueued = options.maxQueued ?? 100_000;
    this.#maxDeadLetters = options.maxDeadLetters ?? 1_000;
    this.#retryDelayMs = options.retryDelayMs ?? 100;
  }

  /** Messages that failed too often and are kept for a look. */
  get deadLetters(): number {
    return this.#deadLetters.length;
  }

  /** The queue of a durable subscriber, made at its first call; its addresses are replaced by these. */
  durableQueue(name: string, addresses: readonly string[], clock: Clock, log: Log): WorkQueue {
    const known = this.#durable.get(name);
    if (known !== undefined) {
      known.addresses = new Set(addresses);
      return known.queue;
    }
    const queue = this.#createQueue('drop-oldest', clock, log);
    this.#durable.set(name, { queue, addresses: new Set(addresses) });
    return queue;
  }

  /** The queues of the durable subscribers to an address. */
  durableQueues(address: string): WorkQueue[] {
    const found: WorkQueue[] = [];
    for (const { queue, addresses } of this.#durable.values()) if (addresses.has(address)) found.push(queue);
    return found;
  }

  /** The queue of the tasks of an address. */
  taskQueue(address: string, clock: Clock, log: Log): WorkQueue {
    let queue = this.#tasks.get(address);
    if (queue === undefined) {
      queue = this.#createQueue('refuse', clock, log);
      this.#tasks.set(address, queue);
    }
    return queue;
  }

  /** Registers a provider and tells those who wait for it. */
  addRole(role: string, served: ServedRole): void {
    this.roles.set(role, served);
    for (const tell of this.#roleWaiters.get(role) ?? []) tell();
  }

  /** Calls back at each registration of a role, until the result is called. */
  onRole(role: string, tell: () => void): () => void {
    const waiters = this.#roleWaiters.get(role) ?? new Set();
    this.#roleWaiters.set(role, waiters);
    waiters.add(tell);
    return () => {
      waiters.delete(tell);
      if (waiters.size === 0) this.#roleWaiters.delete(role);
    };
  }

  #createQueue(whenFull: 'refuse' | 'drop-oldest', clock: Clock, log: Log): WorkQueue {
    const onDead = (message: IncomingMessage): void => {
      log.error('a message failed too often and is a dead letter', {
        address: message.address,
        messageId: message.messageId,
      });
      this.#deadLetters.push(message);
      if (this.#deadLetters.length > this.#maxDeadLetters) this.#deadLetters.shift();
    };
    const options = { maxQueued: this.#maxQueued, retryDelayMs: this.#retryDelayMs, whenFull };
    return new WorkQueue(options, { clock, log, onDead });
  }
}

/** Deliveries made in one turn of the event loop before others get theirs. */
const MAX_PER_TURN = 1_000;

/** First in, first out, never within the sender's call: what is scheduled in one turn is delivered in the next. */
function createTurnSchedule(): Schedule {
  const queue = new Fifo<Delivery>();
  let armed = false;
  const turn = (): void => {
    let left = Math.min(queue.length, MAX_PER_TURN);
    for (; left > 0; left -= 1) queue.shift()?.run();
    armed = queue.length > 0;
    if (armed) setImmediate(turn);
  };
  return (delivery) => {
    queue.push(delivery);
    if (armed) return;
    armed = true;
    setImmediate(turn);
  };
}
