import { fromHex, z } from '@it-chain/contracts';

const key = z
  .string()
  .refine((text) => fromHex(text, 32) !== undefined, 'expected 64 hexadecimal digits')
  .transform((text) => text.toLowerCase());

/** The section `with` of the plugin. */
export const PriorityConfig = z
  .strictObject({
    first: z.array(key).max(1_000).default([]).describe('Public keys (hex) of the senders that go first'),
    firstShare: z
      .number()
      .min(0)
      .max(1)
      .default(0.5)
      .describe('Share of a block that those may take while others wait, so that nobody waits for ever'),
    maxCount: z.int().min(1).max(1_000_000).default(50_000).describe('Most transactions that wait'),
    maxBytes: z
      .int()
      .min(1_024)
      .default(64 * 1024 * 1024)
      .describe('Most bytes of transactions that wait'),
    maxPerSender: z.int().min(1).default(10_000).describe('Most transactions of one sender that wait'),
    rejectedMemory: z.int().min(1).default(10_000).describe('Rejected transactions whose reason is remembered'),
    batchCount: z.int().min(1).max(1_000).default(500).describe('Most transactions in one batch to a peer'),
    batchBytes: z
      .int()
      .min(1_024)
      .max(1024 * 1024)
      .default(256 * 1024)
      .describe('Most bytes in one batch to a peer'),
    retryMs: z.int().min(10).default(1_000).describe('Pause before a batch that a peer did not take is sent again'),
    lookMs: z
      .int()
      .min(50)
      .default(1_000)
      .describe('How often sessions, network and tip are looked at, should an event be lost'),
  })
  .prefault({});
export type PriorityConfig = z.output<typeof PriorityConfig>;
