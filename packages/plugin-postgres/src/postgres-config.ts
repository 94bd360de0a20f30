import { z } from '@it-chain/contracts';

const MiB = 1024 * 1024;

/** The config section of the plugin. */
export const PostgresConfig = z.strictObject({
  url: z
    .string()
    .regex(/^postgres(?:ql)?:\/\//, 'expected postgres://USER@HOST:PORT/DATABASE')
    .describe('The database, postgres://USER@HOST:PORT/DATABASE; leave the password to PGPASSWORD or a .pgpass file'),
  schema: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/, 'expected lower-case letters, digits and underscores')
    .optional()
    .describe(
      'Schema of this node, so that several share one database; default it_chain_ and the begin of its public key',
    ),
  readers: z.int().min(1).max(100).default(4).describe('Connections for reading; one more writes'),
  connectMs: z.int().min(100).default(5_000).describe('How long one attempt to connect may take, in ms'),
  reconnectMs: z
    .int()
    .min(0)
    .default(20_000)
    .describe('How long a lost connection is tried again, in ms, before the process is ended'),
  statementMs: z.int().min(100).default(30_000).describe('Longest statement, in ms'),
  maxQueuedBytes: z
    .int()
    .min(MiB)
    .default(128 * MiB)
    .describe('Bytes of writes that may wait before more are refused'),
  maxGroupBytes: z
    .int()
    .min(MiB)
    .default(16 * MiB)
    .describe('Bytes of writes that share one transaction'),
});
export type PostgresConfig = z.output<typeof PostgresConfig>;
