import type { Bus } from '@it-chain/contracts';

/** What the package of the AMQP bus gives. */
interface AmqpBusPackage {
  readonly connectBus: (options: { readonly url: string; readonly namespace: string }) => Promise<Bus>;
}

/** Connects a process without a gateway to the broker of bus.url; loaded only then. */
export async function connectBus(url: string, namespace: string): Promise<Bus> {
  const amqp = (await import('@it-chain/bus-amqp')) as unknown as AmqpBusPackage;
  return amqp.connectBus({ url, namespace });
}
