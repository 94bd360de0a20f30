import { randomBytes } from 'node:crypto';
import type { Bus, Log } from '@it-chain/contracts';
import { AmqpBus } from './amqp-bus.js';
import { systemClock } from './clock.js';
import { settingsOf, type AmqpBusOptions } from './options.js';

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * Connects to an AMQP 0-9-1 broker (RabbitMQ 3.10 or later, or the embedded server) and gives the bus of a node. The
 * first connection is tried once; a lost one is made again until the bus is closed.
 * @throws ERR_BUS_UNREACHABLE; TypeError for options that cannot work
 */
export async function connectAmqpBus(options: AmqpBusOptions): Promise<Bus> {
  const bus = new AmqpBus(settingsOf(options), {
    clock: options.clock ?? systemClock,
    log: options.log ?? silent,
    metrics: options.metrics,
    prefix: `${randomBytes(6).toString('base64url')}.`,
  });
  await bus.open();
  return bus;
}
