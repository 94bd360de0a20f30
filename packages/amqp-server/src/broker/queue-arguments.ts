import { ReplyError } from '../wire/reply-error.js';
import { type Field, type FieldTable } from '../wire/spec.js';

/** What a queue does when it is full (x-overflow). */
export type Overflow = 'drop-head' | 'reject-publish' | 'reject-publish-dlx';

/** The optional arguments of queue.declare, checked. Times in milliseconds; undefined where not given. */
export interface QueueArguments {
  readonly type: 'classic' | 'quorum';
  readonly messageTtl: number | undefined;
  readonly expires: number | undefined;
  readonly maxLength: number | undefined;
  readonly maxLengthBytes: number | undefined;
  readonly overflow: Overflow;
  readonly deadLetterExchange: string | undefined;
  readonly deadLetterRoutingKey: string | undefined;
  readonly maxPriority: number;
  readonly singleActiveConsumer: boolean;
  readonly deliveryLimit: number | undefined;
}

/** The flags of queue.declare. */
export interface QueueFlags {
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
}

/** Arguments that must be the same when a queue is declared again, as RabbitMQ has it. */
export const COMPARED_ARGUMENTS = [
  'x-queue-type',
  'x-message-ttl',
  'x-expires',
  'x-max-length',
  'x-max-length-bytes',
  'x-overflow',
  'x-dead-letter-exchange',
  'x-dead-letter-routing-key',
  'x-max-priority',
  'x-single-active-consumer',
  'x-delivery-limit',
] as const;

/** RabbitMQ 4 gives up a message of a quorum queue after this many returns. */
const QUORUM_DELIVERY_LIMIT = 20;
const MAX_MILLISECONDS = 0xffffffff;

/** Checks the arguments of a queue. Throws 406 naming the argument and the queue. */
export function parseQueueArguments(table: FieldTable, where: string, flags: QueueFlags): QueueArguments {
  const read = new ArgumentReader(table, where);
  const type = read.choice('x-queue-type', ['classic', 'quorum', 'stream'] as const) ?? 'classic';
  if (type === 'stream') throw new ReplyError('NOT_IMPLEMENTED', `x-queue-type 'stream' for ${where}`);
  const quorum = type === 'quorum';
  if (quorum) refuseQuorumFlags(flags, where);
  const maxPriority = read.integer('x-max-priority', 0, 255) ?? 0;
  if (quorum && maxPriority > 0) read.refuse('x-max-priority', 'not supported by quorum queues');
  const deadLetterExchange = read.text('x-dead-letter-exchange');
  const deadLetterRoutingKey = read.text('x-dead-letter-routing-key');
  if (deadLetterRoutingKey !== undefined && deadLetterExchange === undefined) {
    read.refuse('x-dead-letter-routing-key', 'given without x-dead-letter-exchange');
  }
  const limit = read.integer('x-delivery-limit', -1, MAX_MILLISECONDS) ?? (quorum ? QUORUM_DELIVERY_LIMIT : -1);
  return {
    type,
    messageTtl: read.integer('x-message-ttl', 0, MAX_MILLISECONDS),
    expires: read.integer('x-expires', 1, MAX_MILLISECONDS),
    maxLength: read.integer('x-max-length', 0, Number.MAX_SAFE_INTEGER),
    maxLengthBytes: read.integer('x-max-length-bytes', 0, Number.MAX_SAFE_INTEGER),
    overflow: read.choice('x-overflow', ['drop-head', 'reject-publish', 'reject-publish-dlx'] as const) ?? 'drop-head',
    deadLetterExchange,
    deadLetterRoutingKey,
    maxPriority,
    singleActiveConsumer: read.flag('x-single-active-consumer'),
    deliveryLimit: limit < 0 ? undefined : limit,
  };
}

function refuseQuorumFlags(flags: QueueFlags, where: string): void {
  const wrong = !flags.durable ? 'non-durable' : flags.exclusive ? 'exclusive' : flags.autoDelete ? 'auto-delete' : '';
  if (wrong !== '') throw new ReplyError('PRECONDITION_FAILED', `invalid property '${wrong}' for quorum ${where}`);
}

/** Reads typed arguments of a table for one queue, exchange or consumer, refusing wrong ones with 406. */
export class ArgumentReader {
  constructor(
    readonly table: FieldTable,
    readonly where: string,
  ) {}

  refuse(name: string, why: string): never {
    throw new ReplyError('PRECONDITION_FAILED', `invalid arg '${name}' for ${this.where}: ${why}`);
  }

  integer(name: string, least: number, most: number): number | undefined {
    const field = this.table.get(name);
    if (field === undefined) return undefined;
    const value = field.value;
    if (typeof value !== 'number' || !Number.isInteger(value)) return this.refuse(name, 'an integer is needed');
    if (value < least || value > most) return this.refuse(name, `${value} is not between ${least} and ${most}`);
    return value;
  }

  text(name: string): string | undefined {
    const field = this.table.get(name);
    if (field === undefined) return undefined;
    if (typeof field.value !== 'string') return this.refuse(name, 'a string is needed');
    if (Buffer.byteLength(field.value) > 255) return this.refuse(name, 'longer than 255 octets');
    return field.value;
  }

  choice<const T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const found = allowed.find((choice) => choice === value);
    return found ?? this.refuse(name, `'${value}' is not one of ${allowed.join(', ')}`);
  }

  flag(name: string): boolean {
    const field = this.table.get(name);
    if (field === undefined) return false;
    return typeof field.value === 'boolean' ? field.value : this.refuse(name, 'a boolean is needed');
  }
}

/** Text of a field for comparing arguments and for error messages; integers of all widths are the same. */
export function fieldText(field: Field | undefined): string {
  if (field === undefined) return 'none';
  const value = field.value;
  if (value instanceof Map) return `{${[...value].map(([name, item]) => `${name}=${fieldText(item)}`).join(',')}}`;
  if (Array.isArray(value)) return `[${(value as readonly Field[]).map(fieldText).join(',')}]`;
  return Buffer.isBuffer(value) ? value.toString('hex') : String(value as string | number | bigint | boolean | null);
}
