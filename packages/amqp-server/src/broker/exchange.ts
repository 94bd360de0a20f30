import { type FieldTable } from '../wire/spec.js';
import { type Queue } from './queue.js';

/** Exchange types of this server. */
export type ExchangeType = 'direct' | 'fanout' | 'topic' | 'headers';

/** A queue or an exchange that messages are routed to. */
export type Destination = Queue | Exchange;

/** One binding of a source exchange. */
export interface Binding {
  readonly source: Exchange;
  readonly destination: Destination;
  readonly routingKey: string;
  readonly arguments: FieldTable;
  /** Two bindings with the same identity are one. */
  readonly identity: string;
}

/** Finds the bindings that a message matches; one implementation for each exchange type. */
export interface BindingIndex {
  add(binding: Binding): void;
  delete(binding: Binding): void;
  /** Calls `found` for each matching binding; the same destination may come more than once. */
  match(routingKey: string, headers: () => FieldTable, found: (binding: Binding) => void): void;
}

/** The properties an exchange was declared with. */
export interface ExchangeProperties {
  readonly type: ExchangeType;
  readonly durable: boolean;
  readonly autoDelete: boolean;
  readonly internal: boolean;
  readonly alternateExchange: string | undefined;
}

/** An exchange with its bindings. */
export class Exchange {
  readonly kind = 'exchange';
  /** By identity. */
  readonly bindings = new Map<string, Binding>();
  deleted = false;

  constructor(
    readonly name: string,
    readonly properties: ExchangeProperties,
    readonly index: BindingIndex,
  ) {}
}
