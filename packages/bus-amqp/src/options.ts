import type { Clock, Log, Metrics } from '@it-chain/contracts';

/** How {@link connectAmqpBus} connects. Everything but where to is optional. */
export interface AmqpBusOptions {
  /** `amqp://` or `amqps://` with user, password, host, port and virtual host. With `socketPath` only user and virtual host count. */
  readonly url?: string | undefined;
  /** The Unix socket of a server on this machine. */
  readonly socketPath?: string | undefined;
  /** Prefix of every exchange and queue: the node's own, so that nodes can share a broker. 1 to 64 of `A-Z a-z 0-9 _ -`. */
  readonly namespace: string;
  /** Shown by the broker for this connection. Default `it-chain`. */
  readonly name?: string | undefined;
  readonly log?: Log | undefined;
  readonly clock?: Clock | undefined;
  /** Gets `bus_*`; see the README. */
  readonly metrics?: Metrics | undefined;
  /** Largest body, in bytes. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /** Requests without an answer at once. Default 10,000. */
  readonly maxPending?: number | undefined;
  /** Requests of one role that may be handled at once; more are refused with ERR_BUS_FULL. Default 10,000. */
  readonly maxHandling?: number | undefined;
  /** Events and tasks published and not confirmed, on the wire. Default 500. */
  readonly confirmWindow?: number | undefined;
  /** Events and tasks that wait for the window or the broker. Default 10,000. */
  readonly maxOutbox?: number | undefined;
  /** Events a subscriber has not handled; then the oldest is dropped. Default 100,000. */
  readonly maxEvents?: number | undefined;
  /** Messages a durable subscriber's or a task queue holds in the broker. Default 100,000. */
  readonly maxQueued?: number | undefined;
  /** First pause before a failed task or durable event comes again, in ms; it doubles. Default 100. */
  readonly retryDelayMs?: number | undefined;
  /** How often a provider is asked whether it still has a request, in ms. Default 250. */
  readonly probeMs?: number | undefined;
  /** Heartbeat, in seconds. Default 10. */
  readonly heartbeatSeconds?: number | undefined;
  /** Limit of one attempt to connect, in ms. Default 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Reconnect: at most this for the first pause, in ms; it doubles, with full jitter. Default 100. */
  readonly reconnectMinMs?: number | undefined;
  /** Reconnect: the longest pause, in ms. Default 10,000. */
  readonly reconnectMaxMs?: number | undefined;
  /** How long a provider or worker that leaves may finish what it has in hand, in ms. Default 1,000. */
  readonly drainMs?: number | undefined;
}

/** All options with their defaults. */
export interface Settings {
  readonly url: string;
  readonly socketPath: string | undefined;
  readonly namespace: string;
  readonly name: string;
  readonly maxMessageBytes: number;
  readonly maxPending: number;
  readonly maxHandling: number;
  readonly confirmWindow: number;
  readonly maxOutbox: number;
  readonly maxEvents: number;
  readonly maxQueued: number;
  readonly retryDelayMs: number;
  readonly probeMs: number;
  readonly connectTimeoutMs: number;
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
  readonly drainMs: number;
}

/** Fills in defaults. @throws TypeError for options that cannot work, which is a mistake of the program */
export function settingsOf(options: AmqpBusOptions): Settings {
  const { namespace, socketPath } = options;
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(namespace)) {
    throw new TypeError(`the namespace "${namespace}" is not 1 to 64 of A-Z a-z 0-9 _ -`);
  }
  if (options.url === undefined && socketPath === undefined) throw new TypeError('a bus needs a url or a socketPath');
  return {
    url: withHeartbeat(options.url ?? 'amqp://guest:guest@localhost', options.heartbeatSeconds ?? 10),
    socketPath,
    namespace,
    name: options.name ?? 'it-chain',
    maxMessageBytes: options.maxMessageBytes ?? 16 * 1024 * 1024,
    maxPending: options.maxPending ?? 10_000,
    maxHandling: options.maxHandling ?? 10_000,
    confirmWindow: options.confirmWindow ?? 500,
    maxOutbox: options.maxOutbox ?? 10_000,
    maxEvents: options.maxEvents ?? 100_000,
    maxQueued: options.maxQueued ?? 100_000,
    retryDelayMs: options.retryDelayMs ?? 100,
    probeMs: options.probeMs ?? 250,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    reconnectMinMs: options.reconnectMinMs ?? 100,
    reconnectMaxMs: options.reconnectMaxMs ?? 10_000,
    drainMs: options.drainMs ?? 1_000,
  };
}

function withHeartbeat(text: string, seconds: number): string {
  // The URL may hold a password: the library's error would quote it.
  if (!URL.canParse(text)) throw new TypeError('bus.url is not a URL');
  const url = new URL(text);
  if (url.protocol !== 'amqp:' && url.protocol !== 'amqps:') throw new TypeError('bus.url is not amqp:// or amqps://');
  if (!url.searchParams.has('heartbeat')) url.searchParams.set('heartbeat', String(seconds));
  return url.href;
}

/** Where the broker is, without user and password: for messages and logs. */
export function placeOf({ url, socketPath }: Pick<Settings, 'url' | 'socketPath'>): string {
  if (socketPath !== undefined) return socketPath;
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** The text of an error of the library, with the password taken out should it be in it. */
export function redacted(text: string, { url }: Pick<Settings, 'url'>): string {
  const { password } = new URL(url);
  if (password === '') return text;
  let plain = password;
  try {
    plain = decodeURIComponent(password);
  } catch {
    // Not percent-encoded after all: then it is as it stands.
  }
  return text.replaceAll(password, '***').replaceAll(plain, '***');
}
