import { crashes } from './crashes.js';
import { liars } from './liars.js';
import { members } from './members.js';
import { partitions } from './partitions.js';
import { fourOnBroker, fourWithLiar } from './plans.js';
import type { ArenaPlan, Scenario, TierName } from './scenario.js';

/** Every scenario, in an order that keeps those of one network together. */
export const battery: readonly Scenario[] = sortedByArena([...partitions, ...crashes, ...members, ...liars]);

/** Networks that are up beside the others in a short run; in the tiers one follows the other, so that none disturbs. */
const ASIDE: readonly ArenaPlan[] = [fourOnBroker, fourWithLiar];

/** Scenarios of networks that run side by side. */
export function lanesOf(scenarios: readonly Scenario[], tier: TierName): readonly (readonly Scenario[])[] {
  if (tier !== 'ci') return [scenarios];
  const lanes = [false, true].map((aside) => scenarios.filter(({ arena }) => ASIDE.includes(arena) === aside));
  return lanes.filter(({ length }) => length > 0);
}

function sortedByArena(scenarios: readonly Scenario[]): Scenario[] {
  const names = [...new Set(scenarios.map(({ arena }) => arena.name))];
  return names.flatMap((name) => scenarios.filter(({ arena }) => arena.name === name));
}
