import type { Arena, ArenaOptions } from './arena.js';
import type { Need } from './machine.js';
import type { PrivateRabbitMq } from '../support/rabbitmq.js';

/** How long and how hard: `ci` is one short repetition, the tiers are the counts of a named command. */
export type TierName = 'ci' | 'tier 1' | 'tier 2';

/** What a repetition is given besides its arena. */
export interface Scale {
  readonly tier: TierName;
  /** Length of a partition, a pause or a storm, in ms. */
  readonly faultMs: number;
  /** A number from 0 up to 1, from the seed of the repetition. */
  readonly random: () => number;
  /** 0, 1, 2, ... */
  readonly repetition: number;
  /** Where the arena has a broker. */
  readonly broker?: PrivateRabbitMq | undefined;
}

/** Facts of one repetition for the report, by name; times in ms. */
export type Facts = Readonly<Record<string, number | string>>;

/** What a scenario leaves: facts, and a check that needs the audited chain. */
export interface Outcome {
  readonly facts: Facts;
  readonly afterwards?: (() => void) | undefined;
}

/** The network that scenarios run on; those with one name share it. */
export interface ArenaPlan {
  readonly name: string;
  readonly options: (rest: Pick<ArenaOptions, 'owner' | 'disks'>) => ArenaOptions;
  /** A RabbitMQ that all nodes use as their bus. */
  readonly broker?: boolean | undefined;
  readonly needs?: readonly Need[] | undefined;
}

/** One row of the battery. */
export interface Scenario {
  readonly id: string;
  readonly title: string;
  readonly arena: ArenaPlan;
  /** Besides what its network needs. */
  readonly needs?: readonly Need[] | undefined;
  /** Repetitions. */
  readonly counts: Readonly<Record<TierName, number>>;
  /** Length of the fault where it is not the tier's own, in ms. */
  readonly faultMs?: Partial<Readonly<Record<TierName, number>>> | undefined;
  /** Makes the fault and lifts it; what must hold while it lasts is checked here, the invariants afterwards. */
  run(arena: Arena, scale: Scale): Promise<Outcome>;
}

/** Picks one. */
export function pick<T>(items: readonly T[], random: () => number): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new RangeError('nothing to pick from');
  return item;
}

/** All of them in a random order. */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const rest = [...items];
  const order: T[] = [];
  while (rest.length > 0) order.push(...rest.splice(Math.floor(random() * rest.length), 1));
  return order;
}
