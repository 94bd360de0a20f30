import { connectAmqpBus } from '@it-chain/bus-amqp';
import { busNamespace, type Bus, type BusConfig, type Cancel, type PluginContext } from '@it-chain/contracts';
import type { BusServerConfig } from './bus-server-config.js';
import { startBroker } from './embedded-broker.js';

/** How often health looks at the bus, in ms. */
const WATCH_MS = 1_000;

/** The bus as the gateway sees it after it is opened. */
export interface ProvidedBus {
  /** Tells health while the bus is away. The result stops it. */
  watch(): Cancel;
}

/**
 * Gives the node its bus: on the embedded server (`bus.listen`), or on a broker (`bus.url`). With `bus.memory` the kernel
 * has one, and nothing is listened on. Called in `setup`.
 */
export function provideBus(context: PluginContext, bounds: BusServerConfig): ProvidedBus {
  let bus: Bus | undefined;
  const { busConfig } = context;
  if (busConfig.memory === true) return { watch: () => () => undefined };
  context.provideBus(async () => {
    bus = await openBus(context, busConfig, bounds);
    return bus;
  });
  return {
    watch: () => {
      let degraded = false;
      return context.clock.every(WATCH_MS, () => {
        const away = bus?.stats().state === 'reconnecting';
        if (away === degraded) return;
        degraded = away;
        context.health(away ? { state: 'degraded', reason: 'the bus is away; connecting again' } : { state: 'ok' });
      });
    },
  };
}

async function openBus(
  context: PluginContext,
  busConfig: Exclude<BusConfig, { readonly memory: true }>,
  bounds: BusServerConfig,
): Promise<Bus> {
  const { clock, identity, log, metrics } = context;
  const namespace = busNamespace(identity.nodeId);
  const common = { namespace, name: context.node.name, clock, log, metrics };
  if (busConfig.url !== undefined) return connectAmqpBus({ ...common, url: busConfig.url });
  const broker = await startBroker(
    { listen: busConfig.listen, dataDir: context.node.dataDir, namespace, foreign: busConfig.foreign ?? [], bounds },
    { log, clock, metrics, random: (length) => context.random(length) },
  );
  try {
    const { socketPath, url, address } = broker;
    const bus = await connectAmqpBus({ ...common, socketPath, url });
    log.info('the bus is open', { socket: socketPath, address });
    return withBroker(bus, () => broker.close());
  } catch (error) {
    await broker.close();
    throw error;
  }
}

/** The same bus, which takes its server with it when it closes. */
function withBroker(bus: Bus, closeBroker: () => Promise<void>): Bus {
  return {
    serve: (role, addresses, handler) => bus.serve(role, addresses, handler),
    request: (role, address, body, options) => bus.request(role, address, body, options),
    publish: (address, body, meta) => bus.publish(address, body, meta),
    subscribe: (addresses, handler, options) => bus.subscribe(addresses, handler, options),
    cast: (address, body) => {
      bus.cast(address, body);
    },
    listen: (addresses, handler, options) => bus.listen(addresses, handler, options),
    enqueue: (address, body, meta) => bus.enqueue(address, body, meta),
    work: (address, handler, options) => bus.work(address, handler, options),
    waitForRole: (role, timeoutMs) => bus.waitForRole(role, timeoutMs),
    stats: () => bus.stats(),
    close: async (timeoutMs) => {
      await bus.close(timeoutMs);
      await closeBroker();
    },
  };
}
