import { fromHex, poolSettings, z } from '@it-chain/contracts';

const key = z
  .string()
  .refine((text) => fromHex(text, 32) !== undefined, 'expected 64 hexadecimal digits')
  .transform((text) => text.toLowerCase());

/** The section `with` of the plugin. */
export const PriorityConfig = z
  .strictObject({
    ...poolSettings,
    first: z.array(key).max(1_000).default([]).describe('Public keys (hex) of the senders that go first'),
    firstShare: z
      .number()
      .min(0)
      .max(1)
      .default(0.5)
      .describe('Share of a block that those may take while others wait, so that nobody waits for ever'),
  })
  .prefault({});
export type PriorityConfig = z.output<typeof PriorityConfig>;
