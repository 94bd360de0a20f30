import { Server } from '@grpc/grpc-js';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AdminAccess, ensureToken } from './admin-access.js';
import type { ApiConfig } from './api-config.js';
import { bindService } from './bind-service.js';
import { CallGuard } from './call-guard.js';
import { Connections, credentialsOf, isLoopbackHost, parseListen } from './connections.js';
import { blockHandlers } from './handlers/blocks.js';
import type { ClientApiDependencies } from './handlers/handlers.js';
import { memberHandlers } from './handlers/members.js';
import { nodeHandlers } from './handlers/node.js';
import { transactionHandlers } from './handlers/transactions.js';
import { HEALTH_METHODS, Health } from './health.js';
import { serveLazily } from './lazy-service.js';
import { REFLECTION_METHODS, addReflection, writeClientApi } from './reflection.js';
import { grpcDefinition } from './service-definition.js';

/** The running client API. */
export interface ClientApi {
  /** `host:port` as bound. */
  readonly address: string;
  /** Tells health NOT_SERVING, lets open calls finish within `closeMs`, then ends all connections. */
  close(): Promise<void>;
}

/** The file in the data directory that says where the API of a running node is: for the command, where the port is 0. */
export const ADDRESS_FILE = 'api.json';
/** How often health looks at the plugins, in ms. */
const HEALTH_MS = 1_000;
/** How long the last answers may take to leave when the node stops, in ms. */
const FLUSH_MS = 300;

/**
 * Serves `itchain.v1.Node`, health and reflection over gRPC.
 * @throws ERR_API_INSECURE, ERR_API_LISTEN
 */
export async function startClientApi(options: ApiConfig, dependencies: ClientApiDependencies): Promise<ClientApi> {
  const { context } = dependencies;
  const credentials = await credentialsOf(options);
  if (options.tls === undefined && !isLoopbackHost(parseListen(options.listen).host)) {
    context.log.warn('the client API is open to other hosts without TLS (api.insecure)', { listen: options.listen });
  }
  const admin = new AdminAccess(await ensureToken(context.node.dataDir));
  const guard = new CallGuard(options, { context, admin });
  const stopping = new AbortController();
  const server = new Server(serverOptions(options));
  const injector = server.createConnectionInjector(credentials);
  const connectionGauge = context.metrics.gauge('gateway_api_connections', 'Connections of clients that are open.');
  const connections = new Connections(options, {
    accept: (socket) => {
      injector.injectConnection(socket);
    },
    count: (open) => {
      connectionGauge.set(open);
    },
  });

  const parts = { options, dependencies };
  const handlers = {
    ...transactionHandlers(parts),
    ...blockHandlers(parts),
    ...nodeHandlers(parts),
    ...memberHandlers(parts),
  };
  const cut = (peer: string): void => {
    context.log.info('a client that does not read was cut off', { peer });
    connections.cut(peer);
  };
  server.addService(
    grpcDefinition(),
    bindService(handlers, { options, dependencies, guard, stopping: stopping.signal, cut }),
  );
  const health = new Health(context.inspect());
  serveLazily(server, HEALTH_METHODS, (target) => {
    health.addTo(target);
  });
  const described = await writeClientApi(context.dataDir());
  serveLazily(server, REFLECTION_METHODS, (target) => {
    addReflection(target, described);
  });

  const stopWatching = context.clock.every(HEALTH_MS, () => {
    health.update(context.inspect());
  });
  try {
    const address = await connections.listen(options.listen);
    const place = join(context.node.dataDir, ADDRESS_FILE);
    await writeFile(place, `${JSON.stringify({ address, tls: options.tls !== undefined, pid: process.pid })}\n`);
    context.log.info('the client API is open', { address, tls: options.tls !== undefined });
    const close = async (): Promise<void> => {
      stopWatching();
      health.stop();
      connections.stopAccepting();
      const idle = guard.close();
      stopping.abort();
      await rm(place, { force: true });
      await Promise.race([idle, context.clock.sleep(options.closeMs)]);
      // What was answered last still has to reach its client.
      await Promise.race([new Promise((resolve) => server.tryShutdown(resolve)), context.clock.sleep(FLUSH_MS)]);
      injector.destroy();
      server.forceShutdown();
      connections.destroy();
    };
    let closed: Promise<void> | undefined;
    return { address, close: () => (closed ??= close()) };
  } catch (error) {
    stopWatching();
    server.forceShutdown();
    throw error;
  }
}

function serverOptions(options: ApiConfig): Record<string, number> {
  return {
    'grpc.max_receive_message_length': options.maxMessageBytes,
    // Answers are bounded where they are made; a block with its certificate may be a little larger than the limit.
    'grpc.max_send_message_length': options.maxMessageBytes + 1024 * 1024,
    'grpc.max_concurrent_streams': options.maxConcurrentStreams,
    'grpc.keepalive_time_ms': options.keepalive.timeMs,
    'grpc.keepalive_timeout_ms': options.keepalive.timeoutMs,
    'grpc.max_connection_idle_ms': options.keepalive.idleMs,
    'grpc-node.max_session_memory': options.sessionMemoryMiB,
    'grpc.enable_channelz': 0,
  };
}
