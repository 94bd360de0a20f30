import { ReplyError } from '../wire/reply-error.js';
import { type FieldTable } from '../wire/spec.js';
import { createBindingIndex } from './binding-index.js';
import { createDeadLetter, type DeadLetter, isCycle } from './dead-letter.js';
import { type Binding, type Destination, Exchange, type ExchangeProperties, type ExchangeType } from './exchange.js';
import { type MemoryGauge } from './memory-gauge.js';
import { type Message } from './message.js';
import { type ServerCounters } from './metrics.js';
import { COMPARED_ARGUMENTS, fieldText } from './queue-arguments.js';
import { type DeadLetterReason, Queue, type QueueDeclaration, type QueueHost } from './queue.js';
import { Router } from './router.js';

/** Prefix of the addresses of direct reply-to consumers. */
export const REPLY_PREFIX = 'amq.rabbitmq.reply-to.';

/** How many entities one virtual host may hold. */
export interface EntityLimits {
  readonly maxQueues: number;
  readonly maxExchanges: number;
  readonly maxBindings: number;
}

/** What became of a publish: at least one queue took it, none was found, or a full queue refused it. */
export type PublishOutcome = 'routed' | 'unroutable' | 'rejected';

/** Exchanges that every virtual host has from the start. */
const PREDECLARED: readonly (readonly [string, ExchangeType])[] = [
  ['', 'direct'],
  ['amq.direct', 'direct'],
  ['amq.fanout', 'fanout'],
  ['amq.topic', 'topic'],
  ['amq.headers', 'headers'],
  ['amq.match', 'headers'],
];

/** One virtual host: queues, exchanges, bindings and the way of a message through them. */
export class VirtualHost implements QueueHost {
  readonly queues = new Map<string, Queue>();
  readonly exchanges = new Map<string, Exchange>();
  /** The hidden queues of direct reply-to consumers, by address. */
  readonly replyQueues = new Map<string, Queue>();
  readonly router: Router;
  readonly #limits: EntityLimits;
  #bindingCount = 0;
  /** Bindings by their destination. */
  readonly #incoming = new WeakMap<Destination, Set<Binding>>();
  readonly #deadLetters: DeadLetter[] = [];
  #handlingDeadLetters = false;

  constructor(
    readonly name: string,
    readonly gauge: MemoryGauge,
    readonly counters: ServerCounters,
    limits: EntityLimits,
  ) {
    this.#limits = limits;
    this.router = new Router(this);
    for (const [exchange, type] of PREDECLARED) {
      this.#addExchange(exchange, {
        type,
        durable: true,
        autoDelete: false,
        internal: false,
        alternateExchange: undefined,
      });
    }
  }

  /** `queue 'name' in vhost '/'`, for reply texts. */
  describe(kind: 'queue' | 'exchange', name: string): string {
    return `${kind} '${name}' in vhost '${this.name}'`;
  }

  /** A queue by name that this connection may use. Throws 404, or 405 for another connection's exclusive queue. */
  queue(name: string, user: object): Queue {
    const queue = this.queues.get(name);
    if (queue === undefined) throw new ReplyError('NOT_FOUND', `no ${this.describe('queue', name)}`);
    const { owner } = queue.declaration;
    if (owner !== undefined && owner !== user) {
      throw new ReplyError(
        'RESOURCE_LOCKED',
        `cannot obtain exclusive access to locked ${this.describe('queue', name)}`,
      );
    }
    return queue;
  }

  /** Queues that a user has declared. */
  queuesOf(user: string): number {
    let count = 0;
    for (const queue of this.queues.values()) if (queue.declaration.user === user) count++;
    return count;
  }

  /** An exchange by name. Throws 404. */
  exchange(name: string): Exchange {
    const exchange = this.exchanges.get(name);
    if (exchange === undefined) throw new ReplyError('NOT_FOUND', `no ${this.describe('exchange', name)}`);
    return exchange;
  }

  /** Makes a queue, or returns the one of that name when it was declared alike. Throws 405 or 406 otherwise. */
  declareQueue(declaration: QueueDeclaration, user: object): Queue {
    const { name } = declaration;
    if (this.queues.has(name)) {
      const queue = this.queue(name, user);
      this.#checkSameQueue(queue, declaration);
      queue.touch();
      return queue;
    }
    checkLimit('queues', this.queues.size, this.#limits.maxQueues);
    const queue = new Queue(declaration, this);
    this.queues.set(name, queue);
    this.router.changed();
    return queue;
  }

  #checkSameQueue(queue: Queue, declaration: QueueDeclaration): void {
    const where = this.describe('queue', queue.name);
    const { flags, table } = queue.declaration;
    checkSame('durable', where, flags.durable, declaration.flags.durable);
    checkSame('auto_delete', where, flags.autoDelete, declaration.flags.autoDelete);
    checkSame('exclusive', where, flags.exclusive, declaration.flags.exclusive);
    checkSame('x-queue-type', where, queue.arguments.type, declaration.arguments.type);
    for (const name of COMPARED_ARGUMENTS) {
      if (name === 'x-queue-type') continue;
      checkSame(name, where, fieldText(table.get(name)), fieldText(declaration.table.get(name)));
    }
  }

  deleteQueue(queue: Queue): void {
    if (queue.deleted) return;
    this.queues.delete(queue.name);
    for (const binding of this.#incoming.get(queue) ?? []) this.#removeBinding(binding);
    queue.destroy();
    this.router.changed();
  }

  /** Makes an exchange, or returns the one of that name when it was declared alike. Throws 406 otherwise. */
  declareExchange(name: string, properties: ExchangeProperties): Exchange {
    const existing = this.exchanges.get(name);
    if (existing === undefined) {
      checkLimit('exchanges', this.exchanges.size, this.#limits.maxExchanges);
      return this.#addExchange(name, properties);
    }
    const where = this.describe('exchange', name);
    const current = existing.properties;
    checkSame('type', where, current.type, properties.type);
    checkSame('durable', where, current.durable, properties.durable);
    checkSame('auto_delete', where, current.autoDelete, properties.autoDelete);
    checkSame('internal', where, current.internal, properties.internal);
    checkSame('alternate-exchange', where, current.alternateExchange, properties.alternateExchange);
    return existing;
  }

  #addExchange(name: string, properties: ExchangeProperties): Exchange {
    const exchange = new Exchange(name, properties, createBindingIndex(properties.type));
    this.exchanges.set(name, exchange);
    this.router.changed();
    return exchange;
  }

  deleteExchange(exchange: Exchange): void {
    if (exchange.deleted) return;
    exchange.deleted = true;
    this.exchanges.delete(exchange.name);
    for (const binding of [...exchange.bindings.values(), ...(this.#incoming.get(exchange) ?? [])])
      this.#removeBinding(binding);
    this.router.changed();
  }

  /** Bindings into queues that a user declared, and into `queue` whoever did. */
  bindingsOf(user: string, queue: Queue): number {
    let count = 0;
    for (const one of this.queues.values()) {
      if (one === queue || one.declaration.user === user) count += this.#incoming.get(one)?.size ?? 0;
    }
    return count;
  }

  /** Adds a binding; adding one that exists does nothing. */
  bind(source: Exchange, destination: Destination, routingKey: string, table: FieldTable): void {
    const identity = bindingIdentity(destination, routingKey, table);
    if (source.bindings.has(identity)) return;
    checkLimit('bindings', this.#bindingCount, this.#limits.maxBindings);
    const binding: Binding = { source, destination, routingKey, arguments: table, identity };
    source.bindings.set(identity, binding);
    source.index.add(binding);
    const incoming = this.#incoming.get(destination) ?? new Set<Binding>();
    this.#incoming.set(destination, incoming.add(binding));
    this.#bindingCount++;
    this.router.changed();
  }

  /** Removes a binding; removing one that does not exist does nothing. */
  unbind(source: Exchange, destination: Destination, routingKey: string, table: FieldTable): void {
    const binding = source.bindings.get(bindingIdentity(destination, routingKey, table));
    if (binding !== undefined) this.#removeBinding(binding);
  }

  #removeBinding(binding: Binding): void {
    const { source, destination } = binding;
    if (!source.bindings.delete(binding.identity)) return;
    source.index.delete(binding);
    this.#incoming.get(destination)?.delete(binding);
    this.#bindingCount--;
    this.router.changed();
    if (source.properties.autoDelete && source.bindings.size === 0) this.deleteExchange(source);
  }

  /** The queues that one or several keys lead to, each once. */
  route(exchange: Exchange, routingKeys: readonly string[], message: Message): readonly Queue[] {
    const headers = (): FieldTable => message.header().headers();
    const first = this.#routeKey(exchange, routingKeys[0] ?? '', headers);
    if (routingKeys.length < 2) return first;
    const all = new Set(first);
    for (const key of routingKeys.slice(1)) for (const queue of this.#routeKey(exchange, key, headers)) all.add(queue);
    return [...all];
  }

  #routeKey(exchange: Exchange, key: string, headers: () => FieldTable): readonly Queue[] {
    if (exchange.name === '' && key.startsWith(REPLY_PREFIX)) {
      const queue = this.replyQueues.get(key);
      return queue === undefined ? [] : [queue];
    }
    return this.router.route(exchange, key, headers);
  }

  /** Puts a message into queues. */
  deliver(queues: readonly Queue[], message: Message): PublishOutcome {
    if (queues.length === 0) {
      this.counters.unroutable++;
      return 'unroutable';
    }
    let accepted = true;
    for (const queue of queues) if (!queue.publish(message)) accepted = false;
    return accepted ? 'routed' : 'rejected';
  }

  /** Sends a message on to the dead letter exchange of a queue. Chains are handled one after the other, not nested. */
  deadLetter(message: Message, queue: Queue, reason: DeadLetterReason): void {
    const letter = createDeadLetter(message, queue, reason);
    if (letter === undefined) return;
    this.#deadLetters.push(letter);
    if (this.#handlingDeadLetters) return;
    this.#handlingDeadLetters = true;
    try {
      for (let next = this.#deadLetters.shift(); next !== undefined; next = this.#deadLetters.shift()) {
        this.#handleDeadLetter(next);
      }
    } finally {
      this.#handlingDeadLetters = false;
    }
  }

  #handleDeadLetter(letter: DeadLetter): void {
    const exchange = this.exchanges.get(letter.exchange);
    if (exchange === undefined) return;
    const queues = this.route(exchange, letter.routingKeys, letter.message);
    const open = queues.filter((queue) => !isCycle(letter, queue));
    if (open.length === 0) return;
    this.counters.deadLettered++;
    this.deliver(open, letter.message);
  }

  /** Ends all queues. */
  destroy(): void {
    for (const queue of [...this.queues.values()]) this.deleteQueue(queue);
  }
}

function bindingIdentity(destination: Destination, routingKey: string, table: FieldTable): string {
  const text = [...table].map(([name, field]) => `${name}:${field.type}=${fieldText(field)}`).sort();
  return JSON.stringify([destination.kind, destination.name, routingKey, text]);
}

type Comparable = string | boolean | undefined;

function checkSame(argument: string, where: string, current: Comparable, received: Comparable): void {
  if (current === received) return;
  const text = (value: Comparable): string => (value === undefined ? 'none' : `'${String(value)}'`);
  throw new ReplyError(
    'PRECONDITION_FAILED',
    `inequivalent arg '${argument}' for ${where}: received ${text(received)} but current is ${text(current)}`,
  );
}

function checkLimit(what: string, current: number, most: number): void {
  if (current >= most) throw new ReplyError('RESOURCE_ERROR', `limit of ${most} ${what} in a virtual host reached`);
}
