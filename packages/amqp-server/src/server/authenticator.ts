import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { AmqpServerError } from '../errors.js';
import { type AmqpKeyPermissions, type AmqpPermissions, type AmqpUser } from '../options.js';
import { Cursor } from '../wire/cursor.js';
import { readTable } from '../wire/field-table.js';
import { ReplyError } from '../wire/reply-error.js';
import { type FieldTable } from '../wire/spec.js';
import { HeldBytes } from '../broker/held-bytes.js';
import { PublishRate } from './publish-rate.js';

/** A kind of access, as permissions name them. */
export type Access = keyof AmqpPermissions;

/** A kind of access to a routing key. */
export type KeyAccess = keyof AmqpKeyPermissions;

/** A user with the permissions compiled. */
export interface KnownUser {
  readonly name: string;
  readonly loopbackOnly: boolean;
  readonly memoryAlarmExempt: boolean;
  readonly impersonator: boolean;
  readonly secret: Buffer | undefined;
  /** By virtual host; undefined for everything. */
  readonly permissions: ReadonlyMap<string, Readonly<Record<Access, RegExp>>> | undefined;
  /** By virtual host, then exchange. */
  readonly routingKeys: ReadonlyMap<string, ReadonlyMap<string, Readonly<Record<KeyAccess, RegExp>>>> | undefined;
  readonly maxConnections: number;
  readonly maxQueues: number;
  readonly maxBindings: number;
  readonly held: HeldBytes;
  /** Undefined without a limit. */
  readonly publishRate: PublishRate | undefined;
}

/** What the connection itself says about the client. */
export interface Peer {
  readonly loopback: boolean;
  /** Common name of a verified TLS client certificate. */
  readonly certificateName: string | undefined;
}

/** Knows the users and checks logins. Secrets are kept and compared as keyed hashes, in constant time. */
export class Authenticator {
  readonly #key = randomBytes(32);
  readonly #users = new Map<string, KnownUser>();
  /** Compared with when a user is unknown, so that the answer takes as long. */
  readonly #nobody = randomBytes(32);

  constructor(users: readonly AmqpUser[]) {
    for (const user of users) this.set(user);
  }

  /** Adds or replaces a user. Throws ERR_AMQP_INVALID_OPTION for a permission that is no regular expression. */
  set(user: AmqpUser): void {
    this.#users.set(user.name, {
      name: user.name,
      loopbackOnly: user.loopbackOnly ?? user.name === 'guest',
      memoryAlarmExempt: user.memoryAlarmExempt ?? false,
      impersonator: user.impersonator ?? false,
      secret: user.password === undefined ? undefined : this.#hash(user.password),
      permissions: user.permissions === undefined ? undefined : compilePermissions(user.name, user.permissions),
      routingKeys: user.routingKeys === undefined ? undefined : compileKeys(user.name, user.routingKeys),
      maxConnections: user.maxConnections ?? Infinity,
      maxQueues: user.maxQueues ?? Infinity,
      maxBindings: user.maxBindings ?? Infinity,
      held: new HeldBytes(user.maxQueueBytes ?? Infinity),
      publishRate: user.maxPublishRate === undefined ? undefined : new PublishRate(user.maxPublishRate),
    });
  }

  delete(name: string): boolean {
    return this.#users.delete(name);
  }

  /** Mechanisms to offer, separated by blanks. */
  mechanisms(peer: Peer): string {
    return peer.certificateName === undefined ? 'PLAIN AMQPLAIN' : 'EXTERNAL PLAIN AMQPLAIN';
  }

  /** Checks a login. Returns undefined when it is refused; throws 502 for a malformed response. */
  login(mechanism: string, response: Buffer, peer: Peer): KnownUser | undefined {
    if (mechanism === 'EXTERNAL') {
      return peer.certificateName === undefined ? undefined : this.#users.get(peer.certificateName);
    }
    const credentials = mechanism === 'PLAIN' ? parsePlain(response) : parseAmqPlain(response);
    if (credentials === undefined) return undefined;
    const user = this.#users.get(credentials.name);
    const right = timingSafeEqual(this.#hash(credentials.password), user?.secret ?? this.#nobody);
    if (!right || user === undefined) return undefined;
    return user.loopbackOnly && !peer.loopback ? undefined : user;
  }

  #hash(password: string): Buffer {
    return createHmac('sha256', this.#key).update(password).digest();
  }
}

/** Whether the user may do this to the entity of that name; the default exchange is called `amq.default`. */
export function isAllowed(user: KnownUser, vhost: string, access: Access, entity: string): boolean {
  if (user.permissions === undefined) return true;
  const name = entity === '' ? 'amq.default' : entity;
  return user.permissions.get(vhost)?.[access].test(name) ?? false;
}

/** Whether the user may publish with this routing key, or bind it, at the exchange. */
export function isKeyAllowed(
  user: KnownUser,
  vhost: string,
  access: KeyAccess,
  { exchange, key }: { readonly exchange: string; readonly key: string },
): boolean {
  const name = exchange === '' ? 'amq.default' : exchange;
  return user.routingKeys?.get(vhost)?.get(name)?.[access].test(key) ?? true;
}

/** Whether the user may open the virtual host at all. */
export function mayOpen(user: KnownUser, vhost: string): boolean {
  return user.permissions?.has(vhost) ?? true;
}

interface Credentials {
  readonly name: string;
  readonly password: string;
}

/** RFC 4616: authorization id, NUL, name, NUL, password. */
function parsePlain(response: Buffer): Credentials | undefined {
  const [, name, password, ...rest] = response.toString('utf8').split('\0');
  if (name === undefined || password === undefined || rest.length > 0) return undefined;
  return { name, password };
}

/** RabbitMQ's AMQPLAIN: the inside of a field table with LOGIN and PASSWORD. */
function parseAmqPlain(response: Buffer): Credentials {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(response.length);
  const table: FieldTable = readTable(new Cursor(Buffer.concat([length, response]), 0, response.length + 4));
  const name = table.get('LOGIN')?.value;
  const password = table.get('PASSWORD')?.value;
  if (typeof name !== 'string' || typeof password !== 'string') {
    throw new ReplyError('SYNTAX_ERROR', 'AMQPLAIN response without LOGIN and PASSWORD');
  }
  return { name, password };
}

function compilePermissions(
  user: string,
  permissions: Readonly<Record<string, AmqpPermissions>>,
): Map<string, Record<Access, RegExp>> {
  const compiled = new Map<string, Record<Access, RegExp>>();
  for (const [vhost, { configure, write, read }] of Object.entries(permissions)) {
    const names = { configure: compile(user, configure), write: compile(user, write), read: compile(user, read) };
    compiled.set(vhost, names);
  }
  return compiled;
}

function compileKeys(
  user: string,
  routingKeys: Readonly<Record<string, Readonly<Record<string, AmqpKeyPermissions>>>>,
): Map<string, Map<string, Record<KeyAccess, RegExp>>> {
  const compiled = new Map<string, Map<string, Record<KeyAccess, RegExp>>>();
  for (const [vhost, exchanges] of Object.entries(routingKeys)) {
    const entries = Object.entries(exchanges).map(
      ([exchange, { write, read }]) => [exchange, { write: compile(user, write), read: compile(user, read) }] as const,
    );
    compiled.set(vhost, new Map(entries));
  }
  return compiled;
}

function compile(user: string, pattern: string): RegExp {
  try {
    // As in RabbitMQ, an empty pattern matches nothing but the empty name.
    return new RegExp(pattern === '' ? '^$' : pattern);
  } catch (error) {
    throw new AmqpServerError(
      'ERR_AMQP_INVALID_OPTION',
      `permission '${pattern}' of user '${user}' is not a regular expression`,
      'give a JavaScript regular expression as text, for example ^my-app\\.',
      { cause: error },
    );
  }
}
