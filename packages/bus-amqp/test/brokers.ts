import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'amqplib';
import { AmqpServer, type AmqpServerOptions } from '@it-chain/amqp-server';
import { connectAmqpBus, type AmqpBusOptions } from '@it-chain/bus-amqp';
import type { Bus } from '@it-chain/contracts';
import type { BusUnderTest } from '@it-chain/testkit';
import { FlakyProxy } from './flaky-proxy.js';

/** Where a broker is, and how it is sent away for a while. */
export interface Broker {
  readonly url?: string;
  readonly socketPath?: string;
  /** Past the proxy, for somebody who stays connected meanwhile. */
  readonly directUrl?: string;
  restart(whileDown?: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

const serverOptions: AmqpServerOptions = { closeTimeoutMs: 100 };

/** The embedded server on a Unix socket; a restart loses what it held. */
export async function startOnSocket(): Promise<Broker> {
  const folder = await mkdtemp(join(tmpdir(), 'bus-'));
  const socketPath = join(folder, 's');
  let server = new AmqpServer(serverOptions);
  await server.listen({ path: socketPath });
  return {
    socketPath,
    restart: async (whileDown) => {
      await server.close();
      await whileDown?.();
      server = new AmqpServer(serverOptions);
      await server.listen({ path: socketPath });
    },
    stop: async () => {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The embedded server on TCP; the connections to it are cut, and it goes on. */
export async function startOnTcp(): Promise<Broker> {
  const server = new AmqpServer(serverOptions);
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  if (!('port' in address)) throw new Error('no port');
  const broker = await behindProxy(`amqp://guest:guest@127.0.0.1:${address.port}`);
  return {
    ...broker,
    stop: async () => {
      await broker.stop();
      await server.close();
    },
  };
}

/** A broker that runs elsewhere, behind a proxy that can cut its connections. */
export async function behindProxy(url: string): Promise<Broker> {
  const target = new URL(url);
  const proxy = new FlakyProxy({ host: target.hostname, port: Number(target.port === '' ? 5672 : target.port) });
  await proxy.open();
  target.hostname = '127.0.0.1';
  target.port = String(proxy.port);
  return {
    url: target.href,
    directUrl: url,
    restart: async (whileDown) => {
      await proxy.cut();
      await whileDown?.();
      await proxy.open();
    },
    stop: () => proxy.cut(),
  };
}

/** A fresh namespace on a broker, and everything the suite wants to do with it. */
export function underTest(broker: Broker, options: Partial<AmqpBusOptions> = {}): () => Promise<BusUnderTest> {
  return async () => {
    const namespaces = [createNamespace(), createNamespace()] as const;
    const opened: Bus[] = [];
    const open = async (namespace: string): Promise<Bus> => {
      const bus = await connectAmqpBus({
        url: broker.url,
        socketPath: broker.socketPath,
        namespace,
        retryDelayMs: 1,
        drainMs: 50,
        probeMs: 50,
        reconnectMinMs: 20,
        reconnectMaxMs: 200,
        ...options,
      });
      opened.push(bus);
      return bus;
    };
    return {
      bus: await open(namespaces[0]),
      second: () => open(namespaces[0]),
      otherNamespace: () => open(namespaces[1]),
      restartBroker: (whileDown) => broker.restart(whileDown),
      deadLetters: () => countOf(broker, `${namespaces[0]}.dead`),
      teardown: async () => {
        await Promise.all(opened.map((bus) => bus.close(0)));
        for (const namespace of namespaces) await removeAll(broker, namespace);
      },
    };
  };
}

function createNamespace(): string {
  return `t${randomBytes(6).toString('hex')}`;
}

function open(broker: Broker): ReturnType<typeof connect> {
  const socket = broker.socketPath === undefined ? {} : { path: broker.socketPath };
  return connect(broker.url ?? 'amqp://guest:guest@localhost', { ...socket, noDelay: true });
}

async function countOf(broker: Broker, queue: string): Promise<number> {
  const connection = await open(broker);
  const channel = await connection.createChannel();
  const { messageCount } = await channel.checkQueue(queue);
  await connection.close();
  return messageCount;
}

/** Takes away what a test left on a broker that lasts. */
async function removeAll(broker: Broker, namespace: string): Promise<void> {
  const connection = await open(broker);
  const channel = await connection.createChannel();
  for (const queue of ['dead', 'evt.ledger', 'evt.index', 'task.thing.todo.v1']) {
    await channel.deleteQueue(`${namespace}.${queue}`);
  }
  for (const exchange of ['rpc', 'evt', 'cast', 'dlx']) await channel.deleteExchange(`${namespace}.${exchange}`);
  await connection.close();
}
