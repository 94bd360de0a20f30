import { expect } from 'chai';
import { toHex } from '@it-chain/contracts';
import { TestNetwork } from './support/network.js';
import { equivocate, lieAboutRounds, withhold } from './support/strategies.js';
import type { Strategy } from './support/network.js';

const SEEDS = Number(process.env['CONSENSUS_SEEDS'] ?? 8);
const FIRST = Number(process.env['CONSENSUS_SEED'] ?? 1);

/** Faults of all kinds for a while, then peace; safety is checked inside, after every step. */
function storm(network: TestNetwork, rounds: number): void {
  const { random, n } = network;
  for (let turn = 0; turn < rounds; turn += 1) {
    network.faults = {
      loss: random.chance(0.5) ? random.next() * 0.3 : 0,
      duplication: random.next() * 0.3,
      maxDelayMs: 1 + random.below(random.chance(0.2) ? 3_000 : 200),
    };
    const dice = random.below(6);
    if (dice === 0) splitAtRandom(network);
    else if (dice === 1) network.partition();
    else if (dice === 2) crashSome(network, random.below(n) + 1);
    else if (dice === 3) restartAll(network);
    network.submit(`tx-${network.seed}-${turn}`);
    network.run(random.below(4_000));
  }
}

function splitAtRandom(network: TestNetwork): void {
  const left: number[] = [];
  const right: number[] = [];
  for (const { index } of network.nodes) (network.random.chance(0.5) ? left : right).push(index);
  network.partition(left, right);
}

function crashSome(network: TestNetwork, count: number): void {
  for (let done = 0; done < count; done += 1) network.crash(network.node(network.random.below(network.n)));
}

function restartAll(network: TestNetwork): void {
  for (const node of network.nodes) if (!node.alive) network.start(node);
}

function expectLiveness(network: TestNetwork): void {
  network.heal();
  restartAll(network);
  network.submit(`last-${network.seed}`);
  const correct = network.nodes.filter(({ strategy }) => strategy === undefined);
  const isDone = (): boolean => {
    const heights = new Set(correct.map(({ tips }) => tips.length));
    return heights.size === 1 && correct.every(({ pool }) => pool.size === 0);
  };
  network.run(120_000, isDone);
  const state = correct.map(
    ({ index, tips, pool, state: { at } }) => `${index}: ${tips.length - 1} r${at.round} ${pool.size}`,
  );
  expect(isDone(), `seed ${network.seed}: no progress in peace: ${state.join('; ')}`).to.equal(true);
}

describe('the machine under random schedules', function () {
  this.timeout(300_000);

  for (const n of [1, 2, 3, 4, 5, 6, 7]) {
    it(`agreement, oneCertificate, noDoubleSign and liveness with ${n} validators`, () => {
      for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
        const network = new TestNetwork(n, seed * 100 + n);
        network.startAll();
        storm(network, 12);
        expectLiveness(network);
        expect(network.evidence, `seed ${network.seed}`).to.equal(0);
      }
    });
  }

  const strategies: Readonly<Record<string, Strategy>> = {
    'an equivocating leader': equivocate,
    'a lying round change': lieAboutRounds,
    'a validator that withholds at random': withhold,
  };
  for (const [name, strategy] of Object.entries(strategies)) {
    for (const n of [4, 7]) {
      it(`safe and live with ${n} validators of which f are Byzantine: ${name}`, () => {
        for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
          const network = new TestNetwork(n, seed * 100 + n);
          const f = Math.floor((n - 1) / 3);
          for (let index = 0; index < f; index += 1) network.node(index).strategy = strategy;
          network.startAll();
          storm(network, 10);
          expectLiveness(network);
        }
      });
    }
  }

  it('agreement, oneCertificate, noDoubleSign and liveness while validators come and go, from one up to seven', () => {
    for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
      const network = new TestNetwork(7, seed * 100 + 77, 1);
      network.startAll();
      for (let turn = 0; turn < 6; turn += 1) {
        const members = network.nodes.map(({ index }) => index).filter(() => network.random.chance(0.6));
        network.submit(`members=${(members.length === 0 ? [turn] : members).join(',')};${turn}`);
        storm(network, 3);
      }
      expectLiveness(network);
      expect(network.evidence, `seed ${network.seed}`).to.equal(0);
    }
  });

  it('determinism: one seed gives one run', () => {
    const trace = (): string => {
      const network = new TestNetwork(4, 4_242);
      network.startAll();
      storm(network, 8);
      return `${network.messages} ${network.now} ${[...network.decided.values()].join()} ${toHex(network.tip(network.node(0)).digest)}`;
    };
    expect(trace()).to.equal(trace());
  });
});
