import { crashes } from './crashes.js';
import { liars } from './liars.js';
import { members } from './members.js';
import { partitions } from './partitions.js';
import type { Scenario } from './scenario.js';

/** Every scenario, in an order that keeps those of one network together. */
export const battery: readonly Scenario[] = sortedByArena([...partitions, ...crashes, ...members, ...liars]);

function sortedByArena(scenarios: readonly Scenario[]): Scenario[] {
  const names = [...new Set(scenarios.map(({ arena }) => arena.name))];
  return names.flatMap((name) => scenarios.filter(({ arena }) => arena.name === name));
}
