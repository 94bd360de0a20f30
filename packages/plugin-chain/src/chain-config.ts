import { z } from '@it-chain/contracts';

/** The section of the chain in the config file. */
export const ChainConfig = z
  .strictObject({
    futureMs: z
      .number()
      .int()
      .min(0)
      .default(10_000)
      .describe('How far, in ms, the time of a fresh block may lie ahead of the clock of this node'),
    checkedBlocks: z
      .number()
      .int()
      .min(1)
      .max(64)
      .default(4)
      .describe('Blocks of the next height whose check and dry run are kept in memory'),
    receiptHeights: z.number().int().min(1).default(16).describe('Heights whose receipts are kept in memory'),
    networkPollMs: z
      .number()
      .int()
      .min(50)
      .default(1_000)
      .describe('How often, in ms, p2p is asked for the network while there is no block yet'),
    fetchPeers: z.number().int().min(1).max(8).default(3).describe('Peers that are asked for blocks in parallel'),
    rangeBlocks: z.number().int().min(1).max(500).default(500).describe('Most blocks in one answer'),
    rangeBytes: z
      .number()
      .int()
      .min(65_536)
      .max(4_128_768)
      .default(4_128_768)
      .describe('Most bytes of blocks in one answer; one block is always given'),
    peerRequestsPerSecond: z
      .number()
      .int()
      .min(1)
      .default(20)
      .describe('Requests for blocks that one peer may send per second'),
    snapshots: z
      .strictObject({
        everyBlocks: z
          .number()
          .int()
          .min(0)
          .default(0)
          .describe(
            'Blocks between two snapshots of the state that are offered to new nodes; 0 = none. This node pauses while it copies its state',
          ),
        maxRestoreBytes: z
          .number()
          .int()
          .min(1_048_576)
          .default(17_179_869_184)
          .describe(
            'Most bytes that a snapshot of a peer may bring before its root proves it; raise it above your state',
          ),
      })
      .prefault({})
      .describe('Snapshots for nodes that join without replaying all blocks'),
    prune: z
      .strictObject({
        keepBlocks: z
          .number()
          .int()
          .min(0)
          .default(0)
          .describe(
            'Blocks that are kept at least; older ones go once a snapshot stands for them, so snapshots.everyBlocks must be set; 0 = keep all',
          ),
      })
      .prefault({})
      .describe('What of the past is removed'),
  })
  .refine(({ prune, snapshots }) => prune.keepBlocks === 0 || snapshots.everyBlocks > 0, {
    path: ['prune', 'keepBlocks'],
    message: 'needs snapshots.everyBlocks above 0: a snapshot stands for what is removed',
  })
  .prefault({});
export type ChainConfig = z.output<typeof ChainConfig>;
