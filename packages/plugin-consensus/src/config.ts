import { z } from '@it-chain/contracts';

const ms = (value: number) => z.number().int().min(1).default(value);
const count = (value: number) => z.number().int().min(1).default(value);

/** The section `with` of the plugin. Times in ms. */
export const ConsensusConfig = z
  .strictObject({
    baseTimeoutMs: ms(2_000).describe('T0: how long round 0 may take; each further round takes twice as long'),
    maxTimeoutMs: ms(30_000).describe('Tmax: no round takes longer; must exceed the worst delay between validators'),
    rebroadcastMs: ms(250).describe(
      'How often own messages are sent again while a height is open; 1000 over wide areas',
    ),
    statusMs: ms(1_000).describe('How often peers are told where this node is'),
    pollMs: ms(1_000).describe(
      'How often the tip, the pool and the sessions are looked at, should an event have been lost',
    ),
    acceptDoubleSignRisk: z
      .boolean()
      .default(false)
      .describe(
        'Vote although peers hold votes of this node that it does not remember; safe only if its key signs nowhere else',
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
        roundWindow: count(10).describe('Rounds above the present one for which messages are kept'),
        decidedReach: count(5).describe('Blocks that a peer that is behind is sent; further behind it syncs'),
        maxPeers: count(1_000).describe('Peers whose position is remembered'),
        messagesPerSecond: count(2_000).describe('Messages taken from one peer per second; the rest is dropped unread'),
        maxPending: count(4_000).describe('Messages that wait for their signatures to be verified, in all'),
        maxPendingPerPeer: count(500).describe('Messages of one peer that wait for their signatures to be verified'),
        verifiedCache: count(20_000).describe('Verified signatures that are remembered'),
        maxStrikes: count(5).describe('Invalid messages of one peer before its session is closed'),
        banMs: ms(60_000).describe('How long nothing is taken from such a peer'),
        syncBlocks: z.number().int().min(1).max(500).default(500).describe('Blocks asked for at a time when syncing'),
      })
      .prefault({})
      .describe('Bounds'),
  })
  .prefault({});
export type ConsensusConfig = z.output<typeof ConsensusConfig>;
