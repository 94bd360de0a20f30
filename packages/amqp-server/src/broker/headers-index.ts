import { type Field, type FieldTable } from '../wire/spec.js';
import { type Binding, type BindingIndex } from './exchange.js';
import { fieldText } from './queue-arguments.js';

/** Bindings of a headers exchange: all are tried, as each has a predicate of its own. */
export class HeadersIndex implements BindingIndex {
  readonly #all = new Set<Binding>();

  add(binding: Binding): void {
    this.#all.add(binding);
  }

  delete(binding: Binding): void {
    this.#all.delete(binding);
  }

  match(_routingKey: string, headers: () => FieldTable, found: (binding: Binding) => void): void {
    if (this.#all.size === 0) return;
    const table = headers();
    for (const binding of this.#all) if (headersMatch(binding.arguments, table)) found(binding);
  }
}

/** Whether headers satisfy the arguments of a binding: x-match is all, any, all-with-x or any-with-x (RabbitMQ). */
export function headersMatch(pattern: FieldTable, headers: FieldTable): boolean {
  const mode = pattern.get('x-match')?.value ?? 'all';
  const withX = mode === 'all-with-x' || mode === 'any-with-x';
  const any = mode === 'any' || mode === 'any-with-x';
  for (const [name, field] of pattern) {
    if (name === 'x-match' || (!withX && name.startsWith('x-'))) continue;
    const matches = fieldMatches(field, headers.get(name));
    if (matches === any) return any;
  }
  return !any;
}

/** A pattern without value (void) asks only for presence; integers match whatever their width. */
function fieldMatches(pattern: Field, field: Field | undefined): boolean {
  if (field === undefined) return false;
  if (pattern.type === 'V') return true;
  return typeClass(pattern) === typeClass(field) && fieldText(pattern) === fieldText(field);
}

function typeClass(field: Field): string {
  if ('bBsuIilL'.includes(field.type)) return 'integer';
  return field.type === 'f' || field.type === 'd' ? 'float' : field.type;
}
