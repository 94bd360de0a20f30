import { createHash } from 'node:crypto';
import type { BusPermissions } from '@it-chain/bus-amqp';

/** The exchanges of a node that are topic exchanges: RabbitMQ checks routing keys of those only. */
const DEFAULT_EXCHANGE = 'amq.default';
const SALT_BYTES = 4;

/** Whose permissions are printed, and where. */
export interface PolicySubject {
  readonly user: string;
  readonly vhost: string;
  readonly permissions: BusPermissions;
}

/** A document for `rabbitmqctl import_definitions`. Without a password nobody can log in as the user until one is set. Pure. */
export function rabbitDefinitions(
  { user, vhost, permissions }: PolicySubject,
  password?: { readonly text: string; readonly salt: Uint8Array },
): object {
  const { configure, write, read } = permissions;
  return {
    users: [
      {
        name: user,
        password_hash: password === undefined ? '' : hashOf(password.text, password.salt),
        hashing_algorithm: 'rabbit_password_hashing_sha256',
        tags: [],
      },
    ],
    vhosts: [{ name: vhost }],
    permissions: [{ user, vhost, configure, write, read }],
    topic_permissions: topicsOf(permissions).map(([exchange, keys]) => ({ user, vhost, exchange, ...keys })),
  };
}

/** The same as lines for a shell; `add_user` reads the password from its input. Pure. */
export function rabbitCommands({ user, vhost, permissions }: PolicySubject): readonly string[] {
  const { configure, write, read } = permissions;
  const at = `rabbitmqctl --vhost ${quoted(vhost)}`;
  return [
    `rabbitmqctl add_user ${quoted(user)}`,
    `${at} set_permissions ${[user, configure, write, read].map(quoted).join(' ')}`,
    ...topicsOf(permissions).map(
      ([exchange, keys]) =>
        `${at} set_topic_permissions ${[user, exchange, keys.write, keys.read].map(quoted).join(' ')}`,
    ),
  ];
}

function topicsOf({
  routingKeys,
}: BusPermissions): (readonly [string, { readonly write: string; readonly read: string }])[] {
  return Object.entries(routingKeys).filter(([exchange]) => exchange !== DEFAULT_EXCHANGE);
}

/** RabbitMQ's own form: the salt, then SHA-256 of salt and password, in base64. */
function hashOf(password: string, salt: Uint8Array): string {
  if (salt.length !== SALT_BYTES) throw new RangeError(`the salt has ${salt.length} bytes, not ${SALT_BYTES}`);
  const hash = createHash('sha256').update(salt).update(password, 'utf8').digest();
  return Buffer.concat([salt, hash]).toString('base64');
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
