import type { PluginContext } from '@it-chain/contracts';

/** placeholder until bus-amqp is there */
export function provideBus(_context: PluginContext): { watch(): void; unwatch(): void } {
  return { watch: () => undefined, unwatch: () => undefined };
}
