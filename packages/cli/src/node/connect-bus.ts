import type { Bus } from '@it-chain/contracts';
import type { BusServices } from '@it-chain/kernel';

/** Connects a process without a gateway to the broker of bus.url; the package is loaded only then. */
export async function connectBus(url: string, namespace: string, services: BusServices): Promise<Bus> {
  const { connectAmqpBus } = await import('@it-chain/bus-amqp');
  return connectAmqpBus({ url, namespace, ...services });
}
