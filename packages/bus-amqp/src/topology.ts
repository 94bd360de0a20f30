import type { Channel, Options } from 'amqplib';

/** Deliveries after which the broker makes a message a dead letter: only crashes count here, see `WorkBinding`. */
const DELIVERY_LIMIT = 5;
/** Dead letters that are kept, the newest. */
const MAX_DEAD = 10_000;

/** The names of one node's exchanges and queues; all begin with its namespace. */
export class Topology {
  readonly rpc: string;
  readonly events: string;
  readonly casts: string;
  readonly deadExchange: string;
  readonly deadQueue: string;
  readonly #namespace: string;
  readonly #maxQueued: number;

  constructor(options: { readonly namespace: string; readonly maxQueued: number }) {
    this.#namespace = options.namespace;
    this.#maxQueued = options.maxQueued;
    this.rpc = `${options.namespace}.rpc`;
    this.events = `${options.namespace}.evt`;
    this.casts = `${options.namespace}.cast`;
    this.deadExchange = `${options.namespace}.dlx`;
    this.deadQueue = `${options.namespace}.dead`;
  }

  roleQueue(role: string): string {
    return `${this.#namespace}.rpc.${role}`;
  }
  /** The routing key by which a provider is asked what it has in hand. */
  probeKey(role: string): string {
    return `probe.${role}`;
  }
  durableQueue(name: string): string {
    return `${this.#namespace}.evt.${name}`;
  }
  taskQueue(address: string): string {
    return `${this.#namespace}.task.${address}`;
  }

  /** Makes sure that what the node declares is there, for a user who may not declare it. */
  async checkShared(channel: Channel): Promise<void> {
    for (const exchange of [this.rpc, this.events, this.casts, this.deadExchange])
      await channel.checkExchange(exchange);
  }

  /** Declares what does not belong to one registration. */
  async declareShared(channel: Channel): Promise<void> {
    // Topic exchanges, though no binding has a wildcard: only of those RabbitMQ checks who may use which key.
    for (const exchange of [this.rpc, this.events, this.casts]) {
      await channel.assertExchange(exchange, 'topic', { durable: true });
    }
    await channel.assertExchange(this.deadExchange, 'fanout', { durable: true });
    await channel.assertQueue(this.deadQueue, quorum({ 'x-max-length': MAX_DEAD, 'x-overflow': 'drop-head' }));
    await channel.bindQueue(this.deadQueue, this.deadExchange, '');
  }

  /** A queue that belongs to this connection: gone with it, so nothing is sent to a provider that is not there. */
  exclusive(maxLength?: number): Options.AssertQueue {
    return {
      exclusive: true,
      durable: false,
      autoDelete: false,
      arguments: maxLength === undefined ? {} : { 'x-max-length': maxLength, 'x-overflow': 'drop-head' },
    };
  }

  /**
   * The queue of a durable subscriber: past its limit the oldest event goes, so one that stays away stops nobody. A
   * second consumer of one name waits until the first is gone, which keeps the order.
   */
  durable(): Options.AssertQueue {
    return quorum({ ...this.#lasting(), 'x-overflow': 'drop-head', 'x-single-active-consumer': true });
  }

  /** A queue of tasks: past its limit a new task is refused. */
  tasks(): Options.AssertQueue {
    return quorum({ ...this.#lasting(), 'x-overflow': 'reject-publish' });
  }

  #lasting(): Record<string, unknown> {
    return {
      'x-max-length': this.#maxQueued,
      'x-delivery-limit': DELIVERY_LIMIT,
      'x-dead-letter-exchange': this.deadExchange,
    };
  }
}

function quorum(parameters: Record<string, unknown>): Options.AssertQueue {
  return { durable: true, exclusive: false, autoDelete: false, arguments: { 'x-queue-type': 'quorum', ...parameters } };
}
