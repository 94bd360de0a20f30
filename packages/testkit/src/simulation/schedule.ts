import { toleratedAmong } from './arithmetic.js';
import type { LinkFaults } from './links.js';
import type { DiskFaults } from './process.js';
import type { Random } from './random.js';

/** What a schedule does, each at its time in simulated ms. Plain data: it can be printed, edited and run again. */
export type Action = { readonly at: number } & (
  | { readonly type: 'submit'; readonly transaction: string; readonly nodes: readonly number[] }
  | { readonly type: 'links'; readonly faults: LinkFaults }
  | { readonly type: 'partition'; readonly shape: string; readonly groups: readonly (readonly number[])[] }
  | { readonly type: 'cut'; readonly links: readonly (readonly [number, number])[] }
  | { readonly type: 'join' }
  | { readonly type: 'sessions' }
  | { readonly type: 'crash'; readonly node: number; readonly afterEffects: number }
  | { readonly type: 'start'; readonly node: number }
  | { readonly type: 'power-cut' }
  | { readonly type: 'power-on' }
  | { readonly type: 'disk'; readonly node: number; readonly faults: DiskFaults; readonly failingStarts: number }
  | { readonly type: 'clock'; readonly node: number; readonly offsetMs: number; readonly drift: number }
  | { readonly type: 'slow'; readonly node: number; readonly ms: number }
  | { readonly type: 'freeze'; readonly node: number; readonly ms: number }
);

/** Which faults a run may have. */
export interface FaultProfile {
  readonly network: boolean;
  readonly partitions: boolean;
  readonly crashes: boolean;
  readonly disks: boolean;
  readonly clocks: boolean;
  readonly members: boolean;
  readonly byzantine: boolean;
}

const ALL = {
  network: true,
  partitions: true,
  crashes: true,
  disks: true,
  clocks: true,
  members: true,
  byzantine: true,
};
const NONE = {
  network: false,
  partitions: false,
  crashes: false,
  disks: false,
  clocks: false,
  members: false,
  byzantine: false,
};

/** The values of `--faults`. `mixed` may have all; each seed draws its own selection. */
export const FAULT_PROFILES: Readonly<Record<string, FaultProfile>> = {
  none: NONE,
  network: { ...NONE, network: true, partitions: true },
  crash: { ...NONE, crashes: true, disks: true },
  clock: { ...NONE, clocks: true, network: true },
  members: { ...NONE, members: true, network: true, crashes: true },
  byzantine: { ...NONE, byzantine: true, network: true, partitions: true, crashes: true },
  mixed: ALL,
};

/** What a run is made of, before it runs. */
export interface Plan {
  /** Whose key each process has. */
  readonly identities: readonly number[];
  readonly founders: number;
  /** Name of the strategy of each Byzantine identity; `twins` where it is two processes. */
  readonly byzantine: Readonly<Record<number, string>>;
  readonly guard: boolean;
  readonly leaderTerm: number;
  readonly actions: readonly Action[];
}

/** Limits of a plan. */
export interface PlanOptions {
  readonly nodes: number;
  readonly profile: FaultProfile;
  /** Length of the troubled part, in simulated ms. */
  readonly chaosMs: number;
  /** Names of the strategies to draw from, `twins` among them. */
  readonly strategies: readonly string[];
}

/** Draws a plan: the same generator and options give the same plan. */
export function drawPlan(random: Random, options: PlanOptions): Plan {
  return new Planner(random, options).plan();
}

const PEACE: DiskFaults = { transient: 0, fatal: 0, maxMs: 3 };

class Planner {
  readonly #random: Random;
  readonly #options: PlanOptions;
  readonly #actions: Action[] = [];
  readonly #byzantine: Record<number, string> = {};
  #processes: number[] = [];
  #transactions = 0;

  constructor(random: Random, options: PlanOptions) {
    this.#random = random;
    this.#options = options;
  }

  plan(): Plan {
    const { nodes, profile, chaosMs } = this.#options;
    const random = this.#random;
    // Each seed has some of the faults its profile allows: all at once would hide each other.
    const has = (kind: keyof FaultProfile): boolean => profile[kind] && random.chance(0.6);
    const founders = profile.members && random.chance(0.4) ? 1 + random.below(nodes) : nodes;
    const identities = this.#drawByzantine(nodes, founders);
    const members = has('members') || founders < nodes;
    this.#submissions();
    if (has('network')) this.#spread(3_000, (at) => this.#links(at));
    if (has('partitions')) this.#spread(4_000, (at) => this.#partition(at));
    if (has('crashes')) this.#spread(4_000, (at) => this.#crash(at));
    if (has('disks')) this.#spread(6_000, (at) => this.#disk(at));
    if (has('clocks')) this.#spread(5_000, (at) => this.#clock(at));
    if (members) this.#spread(5_000, (at) => this.#members(at));
    const guard = random.chance(0.5);
    const leaderTerm = random.chance(0.2) ? 1 + random.below(4) : 0;
    const actions = this.#actions.filter(({ at }) => at < chaosMs).sort((a, b) => a.at - b.at);
    return { identities, founders, byzantine: this.#byzantine, guard, leaderTerm, actions };
  }

  #drawByzantine(nodes: number, founders: number): number[] {
    const { profile, strategies } = this.#options;
    const random = this.#random;
    const identities = Array.from({ length: nodes }, (_, index) => index);
    const most = profile.byzantine && random.chance(0.6) ? toleratedAmong(founders) : 0;
    for (const identity of random.shuffle(identities.slice(0, founders)).slice(0, most)) {
      this.#byzantine[identity] = random.pick(strategies);
    }
    for (const [identity, name] of Object.entries(this.#byzantine))
      if (name === 'twins') identities.push(Number(identity));
    this.#processes = identities.map((_, index) => index);
    return identities;
  }

  /** Does something again and again, about every `ms`. */
  #spread(ms: number, act: (at: number) => void): void {
    for (let at = this.#random.between(0, ms); at < this.#options.chaosMs; at += this.#random.between(ms / 4, 2 * ms)) {
      act(at);
    }
  }

  #submissions(): void {
    this.#spread(900, (at) => {
      const everywhere = this.#random.chance(0.3);
      const nodes = everywhere ? [] : [this.#random.pick(this.#processes)];
      this.#actions.push({ at, type: 'submit', transaction: `tx-${this.#transactions++}`, nodes });
    });
  }

  #links(at: number): void {
    const random = this.#random;
    const maxDelayMs = 1 + random.below(random.chance(0.2) ? 3_000 : 200);
    const loss = random.chance(0.6) ? random.between(0, 0.3) : 0;
    const duplication = random.chance(0.5) ? random.between(0, 0.5) : 0;
    const tail = random.chance(0.3) ? 0.05 : 0;
    this.#actions.push({ at, type: 'links', faults: { loss, duplication, minDelayMs: 0.5, maxDelayMs, tail } });
    if (random.chance(0.3)) {
      const node = random.pick(this.#processes);
      this.#actions.push({ at, type: 'slow', node, ms: random.below(500) });
      this.#actions.push({ at: at + random.between(500, 5_000), type: 'slow', node, ms: 0 });
    }
  }

  #partition(at: number): void {
    const random = this.#random;
    const all = random.shuffle(this.#processes);
    const half = 1 + random.below(Math.max(1, all.length - 1));
    const end = at + random.between(300, 8_000);
    const shape = random.pick(['split', 'isolate', 'shatter', 'one-way', 'ring', 'bridge', 'heal']);
    const groups: Readonly<Record<string, number[][]>> = {
      split: [all.slice(0, half), all.slice(half)],
      isolate: [all.slice(0, 1), all.slice(1)],
      shatter: all.map((one) => [one]),
      bridge: [all.slice(1, half), all.slice(Math.max(1, half))],
    };
    const links = this.#cutsOf(shape, all);
    if (shape === 'heal') this.#actions.push({ at, type: 'join' });
    else if (links !== undefined) this.#actions.push({ at, type: 'cut', links });
    else this.#actions.push({ at, type: 'partition', shape, groups: groups[shape] ?? [] });
    if (random.chance(0.4)) this.#actions.push({ at: at + random.between(100, 3_000), type: 'sessions' });
    this.#actions.push({ at: end, type: 'join' }, { at: end + random.between(1, 1_000), type: 'sessions' });
  }

  #cutsOf(shape: string, all: readonly number[]): [number, number][] | undefined {
    const links: [number, number][] = [];
    const { length } = all;
    all.forEach((from, i) => {
      all.forEach((to, j) => {
        if (from === to) return;
        const apart = Math.min((i - j + length) % length, (j - i + length) % length);
        if (shape === 'ring' ? apart > 1 : this.#random.chance(0.3)) links.push([from, to]);
      });
    });
    return shape === 'one-way' || shape === 'ring' ? links : undefined;
  }

  #crash(at: number): void {
    const random = this.#random;
    if (random.chance(0.25)) {
      // The power fails everywhere, a few times in a row, so that it falls into every step of a height.
      for (let when = at, turns = 1 + random.below(6); turns > 0; turns -= 1, when += random.between(60, 400)) {
        this.#actions.push({ at: when, type: 'power-cut' }, { at: when + random.between(1, 50), type: 'power-on' });
      }
      return;
    }
    for (let count = 1 + random.below(this.#processes.length); count > 0; count -= 1) {
      const node = random.pick(this.#processes);
      const afterEffects = random.chance(0.5) ? 1 + random.below(30) : 0;
      this.#actions.push({ at, type: 'crash', node, afterEffects });
      this.#actions.push({ at: at + random.between(10, random.chance(0.3) ? 8_000 : 1_000), type: 'start', node });
      if (random.chance(0.2))
        this.#actions.push({ at, type: 'freeze', node: random.pick(this.#processes), ms: random.between(50, 6_000) });
    }
  }

  #disk(at: number): void {
    const random = this.#random;
    const node = random.pick(this.#processes);
    const faults: DiskFaults = {
      transient: random.chance(0.5) ? random.between(0, 0.1) : 0,
      fatal: random.chance(0.3) ? random.between(0, 0.05) : 0,
      maxMs: random.chance(0.3) ? random.between(3, 300) : 3,
    };
    this.#actions.push({ at, type: 'disk', node, faults, failingStarts: random.below(3) });
    const end = at + random.between(500, 8_000);
    this.#actions.push(
      { at: end, type: 'disk', node, faults: PEACE, failingStarts: 0 },
      { at: end, type: 'start', node },
    );
  }

  #clock(at: number): void {
    const random = this.#random;
    const node = random.pick(this.#processes);
    const offsetMs = random.chance(0.5) ? random.between(-3_600_000, 3_600_000) : random.between(-9_000, 9_000);
    const drift = random.chance(0.5) ? random.between(0.9, 1.1) : 1;
    this.#actions.push({ at, type: 'clock', node, offsetMs, drift });
    this.#actions.push({ at: at + random.between(1_000, 8_000), type: 'clock', node, offsetMs: 0, drift: 1 });
  }

  /** Never more Byzantine members than the new set tolerates: beyond that bound nothing is promised. */
  #members(at: number): void {
    const random = this.#random;
    const { nodes } = this.#options;
    const members = Array.from({ length: nodes }, (_, index) => index).filter(() => random.chance(0.65));
    const liars = members.filter((identity) => this.#byzantine[identity] !== undefined);
    const set = liars.length > toleratedAmong(members.length) ? members.filter((one) => !liars.includes(one)) : members;
    const correct = Array.from({ length: nodes }, (_, index) => index).filter(
      (one) => this.#byzantine[one] === undefined,
    );
    const chosen = set.length > 0 ? set : correct.slice(0, 1);
    if (chosen.length === 0) return;
    const transaction = `members=${chosen.join(',')};${this.#transactions++}`;
    this.#actions.push({ at, type: 'submit', transaction, nodes: [] });
  }
}
