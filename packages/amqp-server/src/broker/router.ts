import { type FieldTable } from '../wire/spec.js';
import { type Exchange } from './exchange.js';
import { type Queue } from './queue.js';

/** Entries of the cache of one exchange; it is emptied when full. */
const CACHE_SIZE = 4096;

/** What the router looks up. */
export interface Topology {
  readonly queues: ReadonlyMap<string, Queue>;
  readonly exchanges: ReadonlyMap<string, Exchange>;
}

/** Finds the queues for a routing key. Results are kept until the topology changes. */
export class Router {
  /** Grows with every change of queues, exchanges or bindings; whoever keeps a result compares it. */
  epoch = 0;
  readonly #topology: Topology;
  #cache = new WeakMap<Exchange, Map<string, readonly Queue[]>>();

  constructor(topology: Topology) {
    this.#topology = topology;
  }

  /** To be called after every change of queues, exchanges or bindings. */
  changed(): void {
    this.epoch++;
    this.#cache = new WeakMap();
  }

  /** The queues that a message published to this exchange reaches, each once. */
  route(exchange: Exchange, routingKey: string, headers: () => FieldTable): readonly Queue[] {
    let cache = this.#cache.get(exchange);
    if (cache === undefined) {
      cache = new Map<string, readonly Queue[]>();
      this.#cache.set(exchange, cache);
    }
    const known = cache.get(routingKey);
    if (known !== undefined) return known;
    const found = new Set<Queue>();
    const cacheable = this.#walk(exchange, routingKey, headers, found);
    const queues = [...found];
    if (cacheable) {
      if (cache.size >= CACHE_SIZE) cache.clear();
      cache.set(routingKey, queues);
    }
    return queues;
  }

  /** Visits the exchange and all it leads to, each once; returns whether the result depends on the key alone. */
  #walk(start: Exchange, routingKey: string, headers: () => FieldTable, found: Set<Queue>): boolean {
    const seen = new Set<Exchange>([start]);
    let cacheable = true;
    for (const exchange of seen) {
      let matched = false;
      if (exchange.properties.type === 'headers') cacheable = false;
      if (exchange.name === '') {
        const queue = this.#topology.queues.get(routingKey);
        if (queue !== undefined) found.add(queue);
        matched = queue !== undefined;
      }
      exchange.index.match(routingKey, headers, ({ destination }) => {
        matched = true;
        if (destination.kind === 'queue') found.add(destination);
        else seen.add(destination);
      });
      const alternate = matched ? undefined : exchange.properties.alternateExchange;
      const next = alternate === undefined ? undefined : this.#topology.exchanges.get(alternate);
      if (next !== undefined) seen.add(next);
    }
    return cacheable;
  }
}
