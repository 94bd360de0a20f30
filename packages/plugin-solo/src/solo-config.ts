import { z } from '@it-chain/contracts';

/** The section `with` of the plugin. Times in ms. */
export const SoloConfig = z
  .strictObject({
    found: z
      .boolean()
      .default(true)
      .describe('Found a network of this node alone at start, where it belongs to none, as --solo does'),
    minIntervalMs: z.int().min(0).default(0).describe('Pause between two blocks, so that transactions gather'),
    pollMs: z
      .int()
      .min(10)
      .default(1_000)
      .describe('How often the tip and the pool are looked at, should an event have been lost'),
  })
  .prefault({});
export type SoloConfig = z.output<typeof SoloConfig>;
