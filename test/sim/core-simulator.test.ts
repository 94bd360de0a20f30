import { expect } from 'chai';
import { FAULT_PROFILES, INVARIANTS, STRATEGIES, runCore, shrinkCore, type ConsensusMachine } from '@it-chain/testkit';
import type { State } from '@it-chain/plugin-consensus';
import { shippedMachine } from './shipped-machine.js';

const SEEDS = Number(process.env['SIM_SEEDS'] ?? 2);
const FIRST = Number(process.env['SIM_SEED'] ?? 1);

function expectGreen(nodes: number | undefined, faults: string, strategies?: readonly string[]): void {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
    const { violation } = runCore(shippedMachine, { seed, nodes, faults, strategies, chaosMs: 15_000 });
    const flags = `${nodes === undefined ? '' : ` --nodes ${nodes}`}${(strategies ?? []).map((name) => ` --strategy ${name}`).join('')}`;
    expect(
      violation?.message,
      `npm run sim -- --seed ${seed}${flags} --faults ${faults} --chaos 15000 --trace`,
    ).to.equal(undefined);
  }
}

describe('the core simulator with the shipped machine', function () {
  this.timeout(600_000);

  for (const n of [1, 2, 3, 4, 5, 6, 7]) {
    it(`all invariants hold with ${n} validators under mixed faults`, () => expectGreen(n, 'mixed'));
  }
  for (const faults of Object.keys(FAULT_PROFILES)) {
    it(`all invariants hold under the profile ${faults}`, () => expectGreen(undefined, faults));
  }
  for (const name of [...Object.keys(STRATEGIES), 'twins']) {
    it(`safe and live with f Byzantine of 4 and of 7: ${name}`, () => {
      expectGreen(4, 'byzantine', [name]);
      expectGreen(7, 'byzantine', [name]);
    });
  }

  it('determinism: one seed gives one trace, another seed another one', () => {
    const trace = (seed: number): string => runCore(shippedMachine, { seed, chaosMs: 8_000 }).traceHash;
    expect(trace(4_242)).to.equal(trace(4_242));
    expect(trace(4_242)).not.to.equal(trace(4_243));
  });

  it('names the invariant that a broken machine breaks, and makes its schedule smaller', async () => {
    // Counts one vote less than a quorum: with 4 validators 2 votes decide.
    const hasty: ConsensusMachine<State> = {
      ...shippedMachine,
      step: (state, input) => {
        const { members } = state;
        state.members = { ...members, q: Math.max(1, members.q - 1) };
        const effects = shippedMachine.step(state, input);
        return effects;
      },
    };
    let seed = 1;
    const options = { nodes: 4, faults: 'mixed', chaosMs: 15_000 };
    while (runCore(hasty, { ...options, seed }).violation === undefined && seed < 50) seed += 1;
    const { violation, plan } = runCore(hasty, { ...options, seed });
    expect(INVARIANTS).to.include(violation?.invariant);
    const shrunk = await shrinkCore(hasty, { ...options, seed }, 60);
    expect(shrunk.report.violation?.invariant).to.equal(violation?.invariant);
    expect(shrunk.plan.actions.length).to.be.lessThan(plan.actions.length);
  });
});
