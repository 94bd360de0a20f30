import { fromHex, z } from '@it-chain/contracts';

const key = z
  .string()
  .refine((text) => fromHex(text, 32) !== undefined, 'expected 64 hexadecimal digits')
  .transform((text) => text.toLowerCase());
const ms = (standard: number) => z.int().min(10).max(3_600_000).default(standard);

/** The section `with` of the plugin. Except for the pauses it must be the same on every node: the genesis is made of it. */
export const StaticConfig = z
  .strictObject({
    network: z.string().min(1).max(64).describe('Name of the network; another name is another network'),
    members: z
      .array(
        z.strictObject({
          publicKey: key.describe('Public key of the node (hex): `it-chain keys show` prints it'),
          address: z.string().min(3).max(255).describe('HOST:PORT where its peers dial it'),
          name: z.string().max(64).default('').describe('A name for people'),
        }),
      )
      .min(1)
      .max(100)
      .describe('The validators, in their order; the first one leads first'),
    leaderTerm: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(0)
      .describe('Heights after which the lead moves on; 0: when it fails'),
    minPauseMs: ms(500).describe('Shortest pause between two dials of one peer'),
    maxPauseMs: ms(10_000).describe('Longest pause between two dials of one peer'),
    lookMs: ms(1_000).describe('How often sessions and leader are looked at, should an event be lost'),
  })
  .refine(({ members }) => new Set(members.map(({ publicKey }) => publicKey)).size === members.length, {
    message: 'a public key is named twice',
    path: ['members'],
  });
export type StaticConfig = z.output<typeof StaticConfig>;
