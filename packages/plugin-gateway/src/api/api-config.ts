import { z } from '@it-chain/contracts';

const LISTEN = /^(?:\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/;

/** The section `api` of the gateway: where clients are answered, and every limit of it. */
export const ApiConfig = z
  .strictObject({
    listen: z
      .string()
      .regex(LISTEN, 'expected HOST:PORT')
      .default('127.0.0.1:7001')
      .describe('Where the client API listens, as HOST:PORT; port 0 takes a free one.'),
    insecure: z
      .boolean()
      .default(false)
      .describe('Allows the client API beyond loopback without TLS. Warned about at every start.'),
    tls: z
      .strictObject({
        cert: z.string().min(1).meta({ format: 'path' }).describe('Path of the certificate chain, PEM.'),
        key: z.string().min(1).meta({ format: 'path' }).describe('Path of the private key, PEM.'),
      })
      .optional()
      .describe('Serves the client API over TLS.'),
    maxConnections: z.int().min(1).max(10_000).default(200).describe('Connections of clients at a time.'),
    maxConcurrentStreams: z.int().min(1).max(10_000).default(100).describe('Open calls of one connection at a time.'),
    maxStreams: z.int().min(1).max(10_000).default(200).describe('Streams of all clients at a time.'),
    maxSubmitStreams: z
      .int()
      .min(1)
      .max(1_000)
      .default(32)
      .describe('Streams that submit transactions at a time; each may have 16 messages read ahead.'),
    maxInFlight: z
      .int()
      .min(1)
      .max(10_000)
      .default(256)
      .describe('Calls that are being answered at a time, so that clients cannot starve the node.'),
    maxMessageBytes: z
      .int()
      .min(1_024)
      .max(64 * 1024 * 1024)
      .default(4 * 1024 * 1024)
      .describe('Largest message of a client, in bytes.'),
    sessionMemoryMiB: z.int().min(1).max(1_024).default(32).describe('Memory of one HTTP/2 connection, in MiB.'),
    keepalive: z
      .strictObject({
        timeMs: z.int().min(1_000).default(30_000).describe('Pause after which a silent connection is pinged, in ms.'),
        timeoutMs: z.int().min(100).default(10_000).describe('Wait for the answer to a ping, in ms.'),
        idleMs: z.int().min(1_000).default(300_000).describe('A connection without calls is closed after this, in ms.'),
      })
      .prefault({}),
    subscriber: z
      .strictObject({
        maxEvents: z.int().min(1).default(1_000).describe('Events that wait for a slow follower before it is cut.'),
        maxBytes: z
          .int()
          .min(1_024)
          .default(1024 * 1024)
          .describe('Bytes that are on their way to a follower at a time.'),
        stalledMs: z
          .int()
          .min(10)
          .default(10_000)
          .describe('A follower that reads nothing for this long is cut, in ms.'),
      })
      .prefault({}),
    pollMs: z
      .int()
      .min(10)
      .default(1_000)
      .describe('How often followers look at the chain themselves, in ms: events are hints.'),
    closeMs: z.int().min(0).max(4_000).default(1_000).describe('Wait for open calls when the node stops, in ms.'),
  })
  .prefault({});
export type ApiConfig = z.output<typeof ApiConfig>;
