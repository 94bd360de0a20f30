import { join } from 'node:path';
import { root } from '../support/node-process.js';
import { kvWorkload, notaryWorkload, tokenWorkload, type Workload } from '../support/workload.js';

const STORAGE = {
  leveldb: undefined,
  memory: '@it-chain/plugin-memory',
  postgres: '@it-chain/plugin-postgres',
} as const;
const CONSENSUS = { qbft: undefined, raft: '@it-chain/plugin-raft', solo: '@it-chain/plugin-solo' } as const;
const TXPOOL = { fair: undefined, priority: join(root, 'examples', 'txpool-priority') } as const;
const WORKLOAD = { kv: kvWorkload, token: tokenWorkload, notary: notaryWorkload } as const;

/** One design of a node: a choice for each part that can be swapped. */
export interface Configuration {
  readonly storage: keyof typeof STORAGE;
  readonly consensus: keyof typeof CONSENSUS;
  readonly bus: 'embedded' | 'rabbitmq' | 'memory';
  readonly application: keyof typeof WORKLOAD;
  readonly txpool: keyof typeof TXPOOL;
  /** Also in `npm test`. */
  readonly quick?: boolean;
}

/** Nine designs in which every choice of each part meets every choice of every other part; a test counts them. */
export const CONFIGURATIONS: readonly Configuration[] = [
  { storage: 'leveldb', consensus: 'qbft', bus: 'rabbitmq', application: 'kv', txpool: 'priority' },
  { storage: 'leveldb', consensus: 'raft', bus: 'embedded', application: 'token', txpool: 'fair' },
  { storage: 'leveldb', consensus: 'solo', bus: 'embedded', application: 'notary', txpool: 'priority' },
  { storage: 'memory', consensus: 'qbft', bus: 'embedded', application: 'token', txpool: 'priority' },
  { storage: 'memory', consensus: 'raft', bus: 'rabbitmq', application: 'notary', txpool: 'fair' },
  { storage: 'memory', consensus: 'solo', bus: 'rabbitmq', application: 'kv', txpool: 'fair' },
  { storage: 'postgres', consensus: 'qbft', bus: 'rabbitmq', application: 'notary', txpool: 'fair' },
  { storage: 'postgres', consensus: 'raft', bus: 'embedded', application: 'kv', txpool: 'priority' },
  { storage: 'postgres', consensus: 'solo', bus: 'rabbitmq', application: 'token', txpool: 'priority' },
];

/** The bus in memory, with every choice of each other part: pairs with a third bus do not go into nine designs. */
export const IN_MEMORY: readonly Configuration[] = [
  { storage: 'leveldb', consensus: 'raft', bus: 'memory', application: 'token', txpool: 'fair', quick: true },
  { storage: 'memory', consensus: 'solo', bus: 'memory', application: 'notary', txpool: 'priority' },
  { storage: 'postgres', consensus: 'qbft', bus: 'memory', application: 'kv', txpool: 'fair' },
];

export const titleOf = ({ storage, consensus, bus, application, txpool }: Configuration): string =>
  `${storage} x ${consensus} x ${bus} x ${application} x ${txpool}`;

export const workloadOf = ({ application }: Configuration): Workload => WORKLOAD[application];

/** The plugins that take another one's place, by its short name. */
export function swapOf({ storage, consensus, txpool }: Configuration): Record<string, string> {
  const all = { leveldb: STORAGE[storage], consensus: CONSENSUS[consensus], txpool: TXPOOL[txpool] };
  return Object.fromEntries(Object.entries(all).filter((one): one is [string, string] => one[1] !== undefined));
}
