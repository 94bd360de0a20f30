import { z } from 'zod';

/** Settings of every pool that {@link serveTxPool} runs: `z.strictObject({ ...poolSettings, own: ... }).prefault({})`. */
export const poolSettings = {
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
};

/** {@link poolSettings}, checked and with defaults. */
export type PoolSettings = { readonly [K in keyof typeof poolSettings]: z.output<(typeof poolSettings)[K]> };
