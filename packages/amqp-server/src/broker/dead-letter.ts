import { encodeHeaders } from '../wire/content-header.js';
import { type Field, type FieldTable } from '../wire/spec.js';
import { type Message, routeName } from './message.js';
import { type DeadLetterReason, type Queue } from './queue.js';

/** A message on its way to a dead letter exchange. */
export interface DeadLetter {
  readonly message: Message;
  readonly exchange: string;
  /** All keys it is routed by: the routing key and, unless the queue names its own, the CC keys. */
  readonly routingKeys: readonly string[];
  readonly reason: DeadLetterReason;
  /** The x-death entries, the newest first. */
  readonly deaths: readonly FieldTable[];
}

/** Longest history kept in x-death; one entry for each pair of queue and reason. */
const MAX_DEATHS = 100;

/**
 * Makes the dead letter of a message: x-death and x-first-death-* and x-last-death-* headers as RabbitMQ writes them,
 * expiration taken out so that it does not expire again. Undefined when the queue has no dead letter exchange.
 */
export function createDeadLetter(message: Message, queue: Queue, reason: DeadLetterReason): DeadLetter | undefined {
  const { deadLetterExchange: exchange, deadLetterRoutingKey } = queue.arguments;
  if (exchange === undefined) return undefined;
  const header = message.header();
  const headers = header.headers();
  const copies = textList(headers.get('CC'));
  const keys = [message.route.routingKey, ...copies];
  const deaths = addDeath(readDeaths(headers), { message, queue, reason, keys, expiration: header.text('expiration') });
  headers.set('x-death', { type: 'A', value: deaths.map((value): Field => ({ type: 'F', value })) });
  const current = { exchange: message.route.exchange, queue: queue.name, reason };
  for (const [name, value] of Object.entries(current)) {
    if (!headers.has(`x-first-death-${name}`)) headers.set(`x-first-death-${name}`, longText(value));
    headers.set(`x-last-death-${name}`, longText(value));
  }
  if (deadLetterRoutingKey !== undefined) headers.delete('CC');
  const routingKeys = deadLetterRoutingKey === undefined ? keys : [deadLetterRoutingKey];
  const content = header.rewrite(
    new Map([
      ['headers', encodeHeaders(headers)],
      ['expiration', null],
    ]),
  );
  const route = routeName(exchange, routingKeys[0] ?? '');
  return { message: message.with(route, content), exchange, routingKeys, reason, deaths };
}

/**
 * Whether delivering to this queue would go round for ever: the message was there before and nobody rejected it since.
 */
export function isCycle(letter: DeadLetter, queue: Queue): boolean {
  if (letter.reason === 'rejected') return false;
  for (const death of letter.deaths) {
    if (death.get('reason')?.value === 'rejected') return false;
    if (death.get('queue')?.value === queue.name) return true;
  }
  return false;
}

interface Death {
  readonly message: Message;
  readonly queue: Queue;
  readonly reason: DeadLetterReason;
  readonly keys: readonly string[];
  readonly expiration: string | undefined;
}

function addDeath(deaths: readonly FieldTable[], death: Death): FieldTable[] {
  const same = (entry: FieldTable): boolean =>
    entry.get('queue')?.value === death.queue.name && entry.get('reason')?.value === death.reason;
  const before = deaths.find(same);
  const count = Number(before?.get('count')?.value ?? 0) + 1;
  const entry: FieldTable = before ?? newDeath(death);
  entry.set('count', { type: 'l', value: Number.isSafeInteger(count) ? count : 1 });
  return [entry, ...deaths.filter((other) => other !== before)].slice(0, MAX_DEATHS);
}

function newDeath({ message, queue, reason, keys, expiration }: Death): FieldTable {
  const entry: FieldTable = new Map<string, Field>([
    ['count', { type: 'l', value: 1 }],
    ['reason', longText(reason)],
    ['queue', longText(queue.name)],
    ['time', { type: 'T', value: Math.floor(Date.now() / 1000) }],
    ['exchange', longText(message.route.exchange)],
    ['routing-keys', { type: 'A', value: keys.map(longText) }],
  ]);
  if (expiration !== undefined) entry.set('original-expiration', longText(expiration));
  return entry;
}

function readDeaths(headers: FieldTable): FieldTable[] {
  const value = headers.get('x-death')?.value;
  if (!Array.isArray(value)) return [];
  return (value as readonly Field[]).flatMap((field) => (field.value instanceof Map ? [field.value] : []));
}

function longText(value: string): Field {
  return { type: 'S', value };
}

/** The strings of an array field; anything else counts as none. */
export function textList(field: Field | undefined): string[] {
  if (!Array.isArray(field?.value)) return [];
  return (field.value as readonly Field[]).flatMap((item) => (typeof item.value === 'string' ? [item.value] : []));
}
