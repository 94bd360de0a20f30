import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AmqpServer, type AmqpAddress } from '@it-chain/amqp-server';
import {
  failure,
  isItChainError,
  messageOf,
  toHex,
  type BusNeeds,
  type Clock,
  type Log,
  type Metrics,
} from '@it-chain/contracts';
import { formatEndpoint, isLoopback, parseEndpoint, type Endpoint } from '../transport/address.js';
import type { BusServerConfig } from './bus-server-config.js';
import { watchBroker } from './broker-metrics.js';
import { pluginUser, removePluginUsers, writePluginUsers } from './plugin-users.js';
import { removeBusFile, SOCKET_FOLDER, sweepBusFile, sweepSocketFolders, writeBusFile } from './bus-file.js';

/** Longest path of a Unix socket, in bytes (`sun_path` of Linux). */
const MAX_SOCKET_PATH = 107;

/** Wait for other clients of the bus to say goodbye, in ms: the whole node stops within 5 s. */
const CLOSE_MS = 1_000;

/** The AMQP server of a node, running. */
export interface EmbeddedBroker {
  readonly socketPath: string;
  /** With the credentials of the node's own process. Never to be logged. */
  readonly url: string;
  /** `host:port` of the TCP listener. */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Starts the embedded AMQP server: a Unix socket for this process, loopback TCP at `listen` for others, both behind
 * random passwords. How to reach it is written to `<dataDir>/bus.json`, and for each plugin in another process, whose user
 * may do what its manifest asks for, to `<dataDir>/bus-users/<name>.json`.
 * @throws ERR_GATEWAY_LISTEN
 */
export async function startBroker(
  options: {
    readonly listen: string;
    readonly dataDir: string;
    readonly namespace: string;
    /** Plugins in other processes. */
    readonly foreign: readonly BusNeeds[];
    readonly bounds: BusServerConfig;
  },
  dependencies: {
    readonly log: Log;
    readonly clock: Pick<Clock, 'now' | 'every'>;
    readonly metrics: Metrics;
    random(length: number): Uint8Array;
  },
): Promise<EmbeddedBroker> {
  const { listen, dataDir, namespace, foreign, bounds } = options;
  const endpoint = ownEndpoint(listen);
  await mkdir(dataDir, { recursive: true });
  await sweepBusFile(dataDir);
  await sweepSocketFolders(dependencies.clock.now());
  const secret = (): string => toHex(dependencies.random(24));
  const own = { name: 'node', password: secret(), memoryAlarmExempt: true };
  const guest = { name: 'plugin', password: secret() };
  const plugins = foreign.map((needs) => pluginUser(needs, { namespace, password: secret(), limits: bounds.plugin }));
  const users = [own, guest, ...plugins.map(({ user }) => user)];
  const { connections: maxConnections, memoryBytes: memoryWatermarkBytes } = bounds;
  const server = new AmqpServer({ users, closeTimeoutMs: CLOSE_MS, maxConnections, memoryWatermarkBytes });
  const folder = await mkdtemp(join(tmpdir(), SOCKET_FOLDER));
  const unwatch = watchBroker(server, dependencies);
  const socketPath = join(folder, 'bus.sock');
  const close = async (): Promise<void> => {
    unwatch();
    await server.close();
    await rm(folder, { recursive: true, force: true });
    await removeBusFile(dataDir, process.pid);
    await removePluginUsers(dataDir);
  };
  try {
    checkSocketPath(socketPath);
    await server.listen({ path: socketPath });
    const address = textOf(await server.listen(endpoint));
    const url = (user: { name: string; password: string }): string => `amqp://${user.name}:${user.password}@${address}`;
    await writeBusFile(dataDir, {
      socket: socketPath,
      address,
      url: url(guest),
      user: guest.name,
      password: guest.password,
      namespace,
      pid: process.pid,
    });
    await writePluginUsers(dataDir, plugins, { address, namespace });
    return { socketPath, url: url(own), address, close };
  } catch (cause) {
    await close();
    if (isItChainError(cause)) throw cause;
    throw failure('ERR_GATEWAY_LISTEN', `bus.listen ${listen}: ${messageOf(cause)}`, { cause });
  }
}

function ownEndpoint(listen: string): Endpoint {
  const endpoint = parseEndpoint(listen);
  if (endpoint !== undefined && (endpoint.host === 'localhost' || isLoopback(endpoint.host))) return endpoint;
  throw failure('ERR_GATEWAY_LISTEN', `bus.listen is ${listen}, but the embedded server is for this machine only`, {
    hint: 'Listen on 127.0.0.1, or give bus.url of a broker that other machines may reach.',
  });
}

function checkSocketPath(socketPath: string): void {
  if (Buffer.byteLength(socketPath) <= MAX_SOCKET_PATH) return;
  throw failure('ERR_GATEWAY_LISTEN', `the path of the socket is longer than ${MAX_SOCKET_PATH} bytes: ${socketPath}`, {
    hint: 'Set TMPDIR to a shorter folder.',
  });
}

function textOf(address: AmqpAddress): string {
  return 'path' in address ? address.path : formatEndpoint(address);
}
