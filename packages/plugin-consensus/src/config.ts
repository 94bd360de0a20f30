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
    snapshotAfterBlocks: z
      .number()
      .int()
      .min(0)
      .default(10_000)
      .describe('A new node that is further behind than this begins with a snapshot of a peer; 0 = replay all blocks'),
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
    accuse: z
      .strictObject({
        enabled: z
          .boolean()
          .default(false)
          .describe(
            'Make a transaction of kept evidence, which evicts whoever signed two votes; false leaves that to an operator',
          ),
        retryMs: ms(30_000).describe('How long one accusation is waited for, and how long it is left to the leader'),
        maxTries: count(3).describe('Accusations of one validator by this node'),
      })
      .prefault({})
      .describe('Eviction by evidence'),
    complaint: z
      .strictObject({
        enabled: z
          .boolean()
          .default(true)
          .describe('Ask for another leader where this one leaves transactions out, or is always late or slow'),
        waitMs: ms(10_000).describe('How long a transaction waits before its being left out is a reason'),
        blocks: count(3).describe('Blocks less than half full that must have left it out'),
        lateHeights: count(3).describe('Heights in a row of one leader that needed a round above 0'),
        slowHeights: count(10).describe('Heights in a row of one leader that took more than T0/2 with work'),
        maxInRow: count(10).describe('Complaints in a row that nobody joined, before the counting starts again'),
      })
      .prefault({})
      .describe('When this node complains about a leader whose rounds do not fail'),
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
        maxEvidence: z
          .number()
          .int()
          .min(1)
          .max(1_000)
          .default(400)
          .describe('Proofs of equivocation that are kept; the oldest go'),
        maxEvidenceEach: count(4).describe('Proofs that are kept of one validator'),
        syncBlocks: z.number().int().min(1).max(500).default(500).describe('Blocks asked for at a time when syncing'),
      })
      .prefault({})
      .describe('Bounds'),
  })
  .prefault({});
export type ConsensusConfig = z.output<typeof ConsensusConfig>;
