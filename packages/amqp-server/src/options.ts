import { AmqpServerError } from './errors.js';
import { type PlainValue } from './wire/field-table.js';

/** What a user may do in one virtual host: regular expressions over names of queues and exchanges, as in RabbitMQ. */
export interface AmqpPermissions {
  /** May declare and delete what matches. */
  readonly configure: string;
  /** May publish to exchanges and bind queues that match. */
  readonly write: string;
  /** May consume from queues and bind from exchanges that match. */
  readonly read: string;
}

/** Which routing keys a user may publish with (`write`) and bind (`read`) at one exchange: regular expressions. */
export interface AmqpKeyPermissions {
  readonly write: string;
  readonly read: string;
}

/** A user who may log in. */
export interface AmqpUser {
  readonly name: string;
  /** Undefined: only EXTERNAL (a TLS client certificate with this common name) lets the user in. */
  readonly password?: string;
  /** By virtual host; without it, everything in all virtual hosts is allowed. */
  readonly permissions?: Readonly<Record<string, AmqpPermissions>>;
  /**
   * By virtual host and exchange (the default exchange is `amq.default`): RabbitMQ's topic permissions, which here hold for
   * exchanges of every type. An exchange that is not named allows every key.
   */
  readonly routingKeys?: Readonly<Record<string, Readonly<Record<string, AmqpKeyPermissions>>>>;
  /** Connections at once; without it as many as the server takes. */
  readonly maxConnections?: number;
  /** Queues of a virtual host that were declared by it; without it as many as the virtual host takes. */
  readonly maxQueues?: number;
  /** Bindings into the queues that it declared, and into any other that it binds; without it as many as the virtual host takes. */
  readonly maxBindings?: number;
  /**
   * Octets of bodies that wait in the queues it declared, ready or unacknowledged; above it, what comes is dropped or refused as
   * x-overflow of the queue says. Default: no limit.
   */
  readonly maxQueueBytes?: number;
  /** Messages that it publishes in a second, over all its connections; above it they are not read for a while. Default: no limit. */
  readonly maxPublishRate?: number;
  /** Only from this machine; default true for the user `guest`, false for others. */
  readonly loopbackOnly?: boolean;
  /** Never made to wait by the memory alarm (for the program's own connections, which drain the queues). */
  readonly memoryAlarmExempt?: boolean;
  /** May set any user-id on a message (RabbitMQ's tag `impersonator`). */
  readonly impersonator?: boolean;
}

/** Options of an AMQP server. All sizes are in octets and all times in milliseconds unless the name says otherwise. */
export interface AmqpServerOptions {
  /** Default: one user `guest` with password `guest`, from this machine only. */
  readonly users?: readonly AmqpUser[];
  /** Names of the virtual hosts; default `['/']`. */
  readonly vhosts?: readonly string[];
  /** Refuse what RabbitMQ 4.3 refuses (transient shared queues, global prefetch) instead of warning; default false. */
  readonly strict?: boolean;
  /** Added to, or replacing, what connection.start says about the server. */
  readonly serverProperties?: Readonly<Record<string, PlainValue>>;
  /** Largest frame; default 131072, at least 4096. */
  readonly frameMax?: number;
  /** Largest frame before a client has logged in; default 4096. */
  readonly frameMaxBeforeLogin?: number;
  /** Highest channel number; default 2047. */
  readonly channelMax?: number;
  /** Open connections; default 256. More are closed at once. */
  readonly maxConnections?: number;
  /** Open channels of one connection; default 64. */
  readonly maxChannelsPerConnection?: number;
  /** Consumers of one channel; default 1024. */
  readonly maxConsumersPerChannel?: number;
  /** Body of one message; default 16 MiB. */
  readonly maxMessageBytes?: number;
  /** Queues of one virtual host; default 10,000. */
  readonly maxQueues?: number;
  /** Exchanges of one virtual host; default 10,000. */
  readonly maxExchanges?: number;
  /** Bindings of one virtual host; default 100,000. */
  readonly maxBindings?: number;
  /** Bodies waiting for one direct reply-to consumer; default 32 MiB. Above it the oldest replies are dropped. */
  readonly maxReplyBytes?: number;
  /** Heartbeat proposed to clients, in seconds; default 30, 0 for none. */
  readonly heartbeatSeconds?: number;
  /** Time for a client to log in; default 10,000. */
  readonly handshakeTimeoutMs?: number;
  /** Wait before a refused login is answered; default 1,000. */
  readonly authFailureDelayMs?: number;
  /** Octets in messages above which publishers have to wait; default 256 MiB. */
  readonly memoryWatermarkBytes?: number;
  /** Octets in messages above which even exempt publishers are refused; default twice the watermark. */
  readonly memoryLimitBytes?: number;
  /** Output waiting for one connection above which nothing more is delivered to it; default 1 MiB. */
  readonly maxOutputBytes?: number;
  /** Time that `close` waits for clients to say goodbye; default 5,000. */
  readonly closeTimeoutMs?: number;
}

/** All options with their defaults filled in. */
export type ResolvedOptions = Required<AmqpServerOptions>;

const DEFAULT_USERS: readonly AmqpUser[] = [{ name: 'guest', password: 'guest' }];
const MEBIBYTE = 1_048_576;
const MAX_INT = 0x7fffffff;

const NUMBERS = {
  frameMax: [131_072, 4096, 16 * MEBIBYTE],
  frameMaxBeforeLogin: [4096, 4096, MEBIBYTE],
  channelMax: [2047, 1, 65_535],
  maxConnections: [256, 1, MAX_INT],
  maxChannelsPerConnection: [64, 1, 65_535],
  maxConsumersPerChannel: [1024, 1, MAX_INT],
  maxMessageBytes: [16 * MEBIBYTE, 0, MAX_INT],
  maxQueues: [10_000, 1, MAX_INT],
  maxExchanges: [10_000, 6, MAX_INT],
  maxBindings: [100_000, 1, MAX_INT],
  maxReplyBytes: [32 * MEBIBYTE, 1, MAX_INT],
  heartbeatSeconds: [30, 0, 65_535],
  handshakeTimeoutMs: [10_000, 1, MAX_INT],
  authFailureDelayMs: [1000, 0, MAX_INT],
  memoryWatermarkBytes: [256 * MEBIBYTE, 1, Number.MAX_SAFE_INTEGER],
  maxOutputBytes: [MEBIBYTE, 1, MAX_INT],
  closeTimeoutMs: [5000, 0, MAX_INT],
} as const satisfies Partial<Record<keyof AmqpServerOptions, readonly [number, number, number]>>;

type NumberName = keyof typeof NUMBERS;

/** Fills in defaults. Throws ERR_AMQP_INVALID_OPTION for a value that is out of range. */
export function resolveOptions(options: AmqpServerOptions): ResolvedOptions {
  const numbers = Object.fromEntries(
    Object.entries(NUMBERS).map(([name, [standard, least, most]]) => {
      const value = options[name as NumberName] ?? standard;
      checkNumber(name, value, least, most);
      return [name, value];
    }),
  ) as Record<NumberName, number>;
  const memoryLimitBytes = options.memoryLimitBytes ?? 2 * numbers.memoryWatermarkBytes;
  checkNumber('memoryLimitBytes', memoryLimitBytes, numbers.memoryWatermarkBytes, Number.MAX_SAFE_INTEGER);
  const vhosts = options.vhosts ?? ['/'];
  if (vhosts.length === 0) throw invalid('vhosts', '[]', 'name at least one virtual host');
  return {
    ...numbers,
    memoryLimitBytes,
    users: options.users ?? DEFAULT_USERS,
    vhosts,
    strict: options.strict ?? false,
    serverProperties: options.serverProperties ?? {},
  };
}

function checkNumber(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw invalid(name, String(value), `give an integer from ${least} to ${most}`);
}

function invalid(name: string, value: string, hint: string): AmqpServerError {
  return new AmqpServerError('ERR_AMQP_INVALID_OPTION', `option ${name} is ${value}`, hint);
}
