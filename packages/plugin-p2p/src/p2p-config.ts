import { ADMISSIONS, GENESIS_DEFAULTS, GROWTHS, fromHex, isNodeId, z } from '@it-chain/contracts';

const key = z
  .string()
  .refine((text) => fromHex(text, 32) !== undefined, 'expected 64 hexadecimal digits')
  .transform((text) => text.toLowerCase());
const ms = (standard: number, what: string): z.ZodDefault<z.ZodInt> =>
  z.int().min(10).max(86_400_000).default(standard).describe(`${what}, in ms`);

/** True for `[NODEID@]HOST:PORT`; whether somebody is there the transport finds out. */
function isDialAddress(text: string): boolean {
  const [, nodeId, port] = /^(?:([^@]*)@)?(?:\[[0-9a-fA-F:.%]+\]|[^\s:@/[\]]{1,253}):(\d{1,5})$/.exec(text) ?? [];
  return Number(port) > 0 && Number(port) <= 65_535 && (nodeId === undefined || isNodeId(nodeId));
}

/** What the genesis says if this node founds. Nodes that adopt a network take its genesis as it is. */
const GenesisConfig = z
  .strictObject({
    admission: z
      .enum(ADMISSIONS)
      .optional()
      .describe('How nodes are admitted; default open where this node listens on loopback, else vote'),
    allowlist: z.array(key).max(1_000).default([]).describe('Public keys (hex) that are admitted under allowlist'),
    growth: z
      .enum(GROWTHS)
      .default(GENESIS_DEFAULTS.growth)
      .describe('How learners become validators; skip-two never stops at two'),
    minValidators: z.int().min(1).max(100).default(1).describe('Fewest validators that a leave may leave'),
    leaderTerm: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(0)
      .describe('Heights after which the lead moves on; 0: when it fails'),
    window: z
      .int()
      .min(10)
      .max(10_000_000)
      .default(GENESIS_DEFAULTS.window)
      .describe('Heights for which a transaction is valid at most'),
    maxBlockBytes: z
      .int()
      .min(65_536)
      .max(3_500_000)
      .default(GENESIS_DEFAULTS.maxBlockBytes)
      .describe('Largest block, in bytes'),
    maxBlockTransactions: z
      .int()
      .min(1)
      .max(65_536)
      .default(GENESIS_DEFAULTS.maxBlockTransactions)
      .describe('Most transactions of a block'),
    maxTransactionBytes: z
      .int()
      .min(1_024)
      .max(3_000_000)
      .default(GENESIS_DEFAULTS.maxTransactionBytes)
      .describe('Largest transaction, in bytes'),
  })
  .prefault({});

/** The config section of the plugin. */
export const P2pConfig = z
  .strictObject({
    dial: z
      .array(z.string().max(512).refine(isDialAddress, 'expected [NODEID@]HOST:PORT, such as 10.0.0.1:7000'))
      .max(100)
      .default([])
      .describe('Peers to dial at start, each [NODEID@]HOST:PORT; tried until they answer'),
    network: key
      .optional()
      .describe('The only network (hex digest of its genesis) that this node joins; it then never founds one'),
    genesis: GenesisConfig.describe('What the genesis says if this node founds'),
    settleMs: ms(1_000, 'How long a founder waits for a conflicting hello before the network counts'),
    minPauseMs: ms(1_000, 'Shortest pause between two dials of one peer'),
    maxPauseMs: ms(30_000, 'Longest pause between two dials of one peer'),
    maxMemberPauseMs: ms(5_000, 'The same for validators and learners; maxPauseMs holds where it is shorter'),
    refusedPauseMs: ms(300_000, 'Pause after a peer of another network was refused'),
    reconcileMs: ms(
      2_000,
      'How often sessions, members, leader and the own record are looked at, whatever events said',
    ),
    maxConnections: z
      .int()
      .min(1)
      .max(1_000)
      .default(30)
      .describe('Sessions up to which known peers are dialled; those of `dial` always are'),
    maxPeers: z
      .int()
      .min(10)
      .max(1_000)
      .default(1_000)
      .describe('Rows of the peer table; members stay when it is full'),
    maxJoinProposals: z
      .int()
      .min(1)
      .max(8)
      .default(4)
      .describe(
        'Joiners that this node proposes by itself at a time under admission by vote; the chain takes 8 proposals of one validator, so some are left for the operator',
      ),
    maxRecordsPerMinute: z
      .int()
      .min(10)
      .max(1_000_000)
      .default(3_000)
      .describe('Records taken from one peer in a minute'),
  })
  .prefault({});
export type P2pConfig = z.output<typeof P2pConfig>;
