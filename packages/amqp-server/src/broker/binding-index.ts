import { type FieldTable } from '../wire/spec.js';
import { type Binding, type BindingIndex, type ExchangeType } from './exchange.js';
import { HeadersIndex } from './headers-index.js';
import { TopicIndex } from './topic-index.js';

/** Makes the index of an exchange type. */
export function createBindingIndex(type: ExchangeType): BindingIndex {
  if (type === 'direct') return new DirectIndex();
  if (type === 'fanout') return new FanoutIndex();
  return type === 'topic' ? new TopicIndex() : new HeadersIndex();
}

class DirectIndex implements BindingIndex {
  readonly #byKey = new Map<string, Set<Binding>>();

  add(binding: Binding): void {
    const bindings = this.#byKey.get(binding.routingKey);
    if (bindings === undefined) this.#byKey.set(binding.routingKey, new Set([binding]));
    else bindings.add(binding);
  }

  delete(binding: Binding): void {
    const bindings = this.#byKey.get(binding.routingKey);
    bindings?.delete(binding);
    if (bindings?.size === 0) this.#byKey.delete(binding.routingKey);
  }

  match(routingKey: string, _headers: () => FieldTable, found: (binding: Binding) => void): void {
    this.#byKey.get(routingKey)?.forEach(found);
  }
}

class FanoutIndex implements BindingIndex {
  readonly #all = new Set<Binding>();

  add(binding: Binding): void {
    this.#all.add(binding);
  }

  delete(binding: Binding): void {
    this.#all.delete(binding);
  }

  match(_routingKey: string, _headers: () => FieldTable, found: (binding: Binding) => void): void {
    this.#all.forEach(found);
  }
}
