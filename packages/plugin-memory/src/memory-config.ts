import { z } from '@it-chain/contracts';

const MiB = 1024 * 1024;

/** The config section of the plugin. */
export const MemoryConfig = z
  .strictObject({
    maxBytes: z
      .int()
      .min(MiB)
      .default(1024 * MiB)
      .describe('Bytes of keys and values the store may hold; like a full disk, one more ends the process'),
    maxQueuedBytes: z
      .int()
      .min(MiB)
      .default(128 * MiB)
      .describe('Bytes of writes that may wait before more are refused'),
  })
  .prefault({});
