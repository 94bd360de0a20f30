import { z } from '@it-chain/contracts';

const count = (
  least: number,
  standard: number,
  doc: string,
  most = Number.MAX_SAFE_INTEGER,
): z.ZodDefault<z.ZodNumber> => z.number().int().min(least).max(most).default(standard).describe(doc);

/** The section of the pool in the config file. */
export const TxPoolConfig = z
  .strictObject({
    maxCount: count(1, 50_000, 'Most transactions that wait'),
    maxBytes: count(1_024, 64 * 1024 * 1024, 'Most bytes of transactions that wait'),
    maxPerSender: count(1, 10_000, 'Most transactions of one sender that wait'),
    rejectedMemory: count(1, 10_000, 'Rejected transactions whose reason is remembered'),
    writeBytes: count(65_536, 2 * 1024 * 1024, 'Bytes of transactions in one synced write to the store'),
    sweepMs: count(50, 1_000, 'Pause, in ms, between removals of committed transactions from the store of the pool'),
    sweepCount: count(1, 5_000, 'Most transactions in one such removal'),
    reconcileMs: count(
      50,
      1_000,
      'How often, in ms, the pool looks whether it missed an event; five times as rarely once founded',
    ),
    takeWaitMs: count(
      1,
      200,
      'How long, in ms, take waits for the event of the block before, before it asks the store',
    ),
    spread: z
      .strictObject({
        maxCount: count(1, 500, 'Most transactions in one batch to a peer', 1_000),
        maxBytes: count(1_024, 256 * 1024, 'Most bytes in one batch to a peer', 1024 * 1024),
        relayMs: count(0, 3_000, 'How long, in ms, a transaction of a peer waits before it is passed on'),
        retryMs: count(10, 500, 'First pause, in ms, before a batch is sent again; it doubles'),
        maxRetryMs: count(10, 30_000, 'Longest pause, in ms, before a batch is sent again'),
        maxStrikes: count(
          1,
          100,
          'Transactions with a wrong signature or form from one peer before its session is ended',
        ),
      })
      .prefault({})
      .describe('How transactions reach the other members'),
  })
  .prefault({});
export type TxPoolConfig = z.output<typeof TxPoolConfig>;
