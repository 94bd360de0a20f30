import { expect } from 'chai';
import { scenarios } from '../support/scenarios.js';
import { CONFIGURATIONS, IN_MEMORY, swapOf, titleOf, workloadOf, type Configuration } from './configurations.js';

// `npm run swap` starts RabbitMQ and PostgreSQL and names them; without them only what needs neither is run.
const all = process.env['SWAP'] === 'all';

const SECTIONS = {
  qbft: { baseTimeoutMs: 1_000, promotion: { healthyMs: 200 } },
  raft: { electionMs: 1_000, promotion: { healthyMs: 200 } },
  solo: {},
} as const;

describe('the configurations of the swap tests', () => {
  it('are nine in which every choice of a part meets every choice of every other part', () => {
    const parts = ['storage', 'consensus', 'bus', 'application', 'txpool'] as const;
    expect(CONFIGURATIONS).to.have.length(9);
    for (const a of parts) {
      for (const b of parts) {
        const choices = (part: (typeof parts)[number]) => new Set(CONFIGURATIONS.map((one) => one[part]));
        const pairs = new Set(CONFIGURATIONS.map((one) => `${one[a]} ${one[b]}`));
        expect(pairs.size, `${a} and ${b}`).to.equal(a === b ? choices(a).size : choices(a).size * choices(b).size);
      }
    }
  });

  it('are three more for the bus in memory, which meets every choice of every other part', () => {
    for (const part of ['storage', 'consensus', 'application', 'txpool'] as const) {
      const choices = (list: readonly Configuration[]) => [...new Set(list.map((one) => one[part]))].sort();
      expect(choices(IN_MEMORY), part).to.deep.equal(choices(CONFIGURATIONS));
      expect(IN_MEMORY.every(({ bus }) => bus === 'memory')).to.equal(true);
    }
  });
});

for (const configuration of [...CONFIGURATIONS, ...IN_MEMORY].filter(({ quick }) => all || quick === true))
  run(configuration);

function run(configuration: Configuration): void {
  const { storage, consensus, bus } = configuration;
  scenarios(`swapped: ${titleOf(configuration)}`, {
    busUrl: () => (bus === 'rabbitmq' ? process.env['RABBITMQ_URL'] : undefined),
    busInMemory: bus === 'memory',
    workload: workloadOf(configuration),
    swap: swapOf(configuration),
    sections: {
      consensus: SECTIONS[consensus],
      ...(storage === 'postgres' ? { leveldb: { url: process.env['POSTGRES_URL'] } } : {}),
    },
    alone: consensus === 'solo',
  });
}
