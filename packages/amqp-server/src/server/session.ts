import { type MemoryGauge } from '../broker/memory-gauge.js';
import { type ServerCounters } from '../broker/metrics.js';
import { type VirtualHost } from '../broker/virtual-host.js';
import { type ResolvedOptions } from '../options.js';
import { type Output } from '../wire/output.js';
import { ReplyError } from '../wire/reply-error.js';
import {
  type Access,
  type Authenticator,
  isAllowed,
  isKeyAllowed,
  type KeyAccess,
  type KnownUser,
} from './authenticator.js';

/** Something a client or the operator should know, though the server goes on. */
export interface AmqpWarning {
  /** Stable code, `ERR_AMQP_...`. */
  readonly code: string;
  readonly message: string;
  readonly error?: unknown;
}

/** What all connections of a server share. */
export interface Services {
  readonly options: ResolvedOptions;
  readonly authenticator: Authenticator;
  readonly vhosts: ReadonlyMap<string, VirtualHost>;
  readonly gauge: MemoryGauge;
  readonly counters: ServerCounters;
  readonly warn: (warning: AmqpWarning) => void;
  /** Connections of a user that are open. */
  readonly connectionsOf: (user: string) => number;
}

/** A connection that is open, as its channels see it. The object itself is the owner of exclusive queues. */
export interface Session {
  readonly services: Services;
  readonly output: Output;
  readonly user: KnownUser;
  readonly vhost: VirtualHost;
  /** Whether the client said it can be told of cancelled consumers. */
  readonly consumerCancelNotify: boolean;
  /** Whether the output has room; if not, all queues are asked again once it has. */
  canDeliver(): boolean;
  /** A message begins on this connection: flow control may have to act. */
  notePublish(): void;
  /** `flush` is called at the end of the chunk of input being handled, to send confirms together. */
  atEndOfInput(flush: () => void): void;
  /** A channel is closed and its number free. */
  channelClosed(id: number): void;
}

/** Throws 403 unless the user of the session has this access to a queue or an exchange. */
export function checkAccess(session: Session, access: Access, kind: 'queue' | 'exchange', name: string): void {
  if (isAllowed(session.user, session.vhost.name, access, name)) return;
  const where = session.vhost.describe(kind, name === '' ? 'amq.default' : name);
  throw new ReplyError('ACCESS_REFUSED', `${access} access to ${where} refused for user '${session.user.name}'`);
}

/** Throws 403 unless the user of the session may publish with this routing key (`write`), or bind it (`read`), at the exchange. */
export function checkKey(session: Session, access: KeyAccess, exchange: string, key: string): void {
  if (isKeyAllowed(session.user, session.vhost.name, access, { exchange, key })) return;
  const where = session.vhost.describe('exchange', exchange === '' ? 'amq.default' : exchange);
  const { name } = session.user;
  throw new ReplyError('ACCESS_REFUSED', `${access} access to topic '${key}' in ${where} refused for user '${name}'`);
}
