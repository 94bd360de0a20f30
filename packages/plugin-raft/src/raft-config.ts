import { z } from '@it-chain/contracts';

const ms = (value: number) => z.int().min(10).max(3_600_000).default(value);
const count = (value: number) => z.int().min(1).default(value);

/** The section `with` of the plugin. Times in ms. */
export const RaftConfig = z
  .strictObject({
    electionMs: ms(1_500).describe(
      'How long a follower with work waits for its leader; must exceed the worst delay between validators',
    ),
    staggerMs: ms(300).describe('How much longer each further validator waits, so that candidates do not meet'),
    maxElectionMs: ms(30_000).describe('No wait for an election is longer'),
    resendMs: ms(500).describe('How often a leader sends its block again to those that have not answered'),
    pollMs: ms(1_000).describe(
      'How often the tip, the pool and the sessions are looked at, should an event have been lost',
    ),
    promotion: z
      .strictObject({
        enabled: z
          .boolean()
          .default(true)
          .describe('Propose learners that have caught up as validators while this node leads'),
        healthyMs: ms(10_000).describe('How long a learner must stay within 2 heights of the tip'),
        retryMs: ms(30_000).describe('How long one proposal is waited for before the next'),
      })
      .prefault({})
      .describe('How learners become validators'),
    limits: z
      .strictObject({
        maxPeers: count(1_000).describe('Peers whose position is remembered'),
        maxPending: count(1_000).describe(
          'Messages that wait for their signatures to be verified; the rest is dropped',
        ),
        maxStrikes: count(5).describe(
          'Messages of one peer that cannot be read or verified before its session is closed',
        ),
        syncBlocks: z.int().min(1).max(500).default(500).describe('Blocks asked for at a time when syncing'),
      })
      .prefault({})
      .describe('Bounds'),
  })
  .prefault({});
export type RaftConfig = z.output<typeof RaftConfig>;
