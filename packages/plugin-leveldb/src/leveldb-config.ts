import { z } from '@it-chain/contracts';

const MiB = 1024 * 1024;

/** The config section of the plugin. */
export const LevelDbConfig = z
  .strictObject({
    minFreeBytes: z
      .int()
      .min(0)
      .default(256 * MiB)
      .describe('Free bytes below which the node stops before the disk is full'),
    minFreePercent: z
      .number()
      .min(0)
      .max(50)
      .default(5)
      .describe('The same in percent of the file system; the smaller of both limits holds'),
    checkIntervalMs: z.int().min(100).default(5_000).describe('How often free space is looked at, in ms'),
    cacheBytes: z
      .int()
      .min(0)
      .default(16 * MiB)
      .describe('Cache of LevelDB for blocks of tables, in bytes'),
    writeBufferBytes: z
      .int()
      .min(64 * 1024)
      .default(8 * MiB)
      .describe('Size of the write-ahead log before it becomes a table, in bytes'),
    checkAtStartBytes: z
      .int()
      .min(0)
      .default(256 * MiB)
      .describe('Bytes of tables whose checksums are read before start; the rest is read while the node runs'),
    maxQueuedBytes: z
      .int()
      .min(MiB)
      .default(128 * MiB)
      .describe('Bytes of writes that may wait before more are refused'),
    maxGroupBytes: z
      .int()
      .min(MiB)
      .default(16 * MiB)
      .describe('Bytes of writes that share one fsync'),
  })
  .prefault({});
