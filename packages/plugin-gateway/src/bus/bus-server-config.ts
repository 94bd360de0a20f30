import { z } from '@it-chain/contracts';

const MiB = 1_048_576;
const count = (standard: number, what: string): z.ZodDefault<z.ZodInt> =>
  z.int().min(1).max(1_000_000).default(standard).describe(what);

/** What one plugin in another process may take, so that one that takes more and more leaves the rest to the others. */
export const PluginLimits = z
  .strictObject({
    connections: count(8, 'Connections of one plugin.'),
    queues: count(64, 'Queues of one plugin.'),
    bindings: count(1_024, 'Bindings of its queues: an event or a call each, so far more than a manifest names.'),
    queueBytes: z
      .int()
      .min(65_536)
      .max(1_024 * MiB)
      .default(64 * MiB)
      .describe('Bodies that wait in its queues, in bytes; not more than `memoryBytes`.'),
    publishesPerSecond: count(
      1_000,
      'Messages of one plugin a second; past it its connections are not read for a while.',
    ),
  })
  .prefault({});
export type PluginLimits = z.output<typeof PluginLimits>;

/** The section `busServer` of the gateway: bounds of the embedded AMQP server. A broker at `bus.url` has its own. */
export const BusServerConfig = z
  .strictObject({
    connections: count(256, 'Connections to the embedded server.'),
    memoryBytes: z
      .int()
      .min(16 * MiB)
      .max(16_384 * MiB)
      .default(256 * MiB)
      .describe(
        'What waits in all queues, in bytes, past which publishers other than the node wait; the double is refused.',
      ),
    plugin: PluginLimits,
  })
  .superRefine(({ memoryBytes, plugin }, context) => {
    if (plugin.queueBytes <= memoryBytes) return;
    const message = `is more than busServer.memoryBytes, ${memoryBytes}: one plugin could keep the node itself from publishing`;
    context.addIssue({ code: 'custom', path: ['plugin', 'queueBytes'], message });
  })
  .prefault({});
export type BusServerConfig = z.output<typeof BusServerConfig>;
