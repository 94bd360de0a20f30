import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AmqpUser } from '@it-chain/amqp-server';
import { permissionsOf } from '@it-chain/bus-amqp';
import type { BusNeeds } from '@it-chain/contracts';
import type { PluginLimits } from './bus-server-config.js';

/** The virtual host of the embedded server. */
const VHOST = '/';

const folderIn = (dataDir: string): string => join(dataDir, 'bus-users');

/** How a plugin in another process reaches the bus: `<dataDir>/bus-users/<name>.json`, mode 0600. */
export interface PluginUserFile {
  /** `amqp://USER:PASSWORD@HOST:PORT` */
  readonly url: string;
  readonly address: string;
  readonly user: string;
  readonly password: string;
  /** Prefix of the names of the node's exchanges and queues. */
  readonly namespace: string;
}

/** The user of one plugin. */
export interface PluginUser {
  /** Name of the plugin. */
  readonly plugin: string;
  readonly user: AmqpUser & { readonly password: string };
}

/** The user of a plugin in another process: it may do what the manifest asks for, and nothing else. */
export function pluginUser(
  needs: BusNeeds,
  { namespace, password, limits }: { namespace: string; password: string; limits: PluginLimits },
): PluginUser {
  const { routingKeys, ...names } = permissionsOf(needs, namespace);
  return {
    plugin: needs.name,
    user: {
      // With the namespace in front it can be none of the node's own users.
      name: `${namespace}.${needs.name}`,
      password,
      permissions: { [VHOST]: names },
      routingKeys: { [VHOST]: routingKeys },
      maxConnections: limits.connections,
      maxQueues: limits.queues,
      maxBindings: limits.bindings,
      maxQueueBytes: limits.queueBytes,
      maxPublishRate: limits.publishesPerSecond,
    },
  };
}

/** Writes the files of these plugins, and removes those of others: plugins that are no longer in the config. */
export async function writePluginUsers(
  dataDir: string,
  users: readonly PluginUser[],
  { address, namespace }: Pick<PluginUserFile, 'address' | 'namespace'>,
): Promise<void> {
  await removePluginUsers(dataDir);
  if (users.length === 0) return;
  await mkdir(folderIn(dataDir), { recursive: true, mode: 0o700 });
  for (const { plugin, user } of users) {
    const { name, password } = user;
    const url = `amqp://${name}:${password}@${address}`;
    const content: PluginUserFile = { url, address, user: name, password, namespace };
    const file = join(folderIn(dataDir), `${plugin}.json`);
    // In one step: whoever reads it finds all of it or nothing.
    await writeFile(`${file}.tmp`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    await rename(`${file}.tmp`, file);
  }
}

/** Removes all of them; their passwords are good for nothing once the server is gone. */
export async function removePluginUsers(dataDir: string): Promise<void> {
  await rm(folderIn(dataDir), { recursive: true, force: true });
}
