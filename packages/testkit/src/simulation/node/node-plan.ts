import { toleratedAmong } from '../arithmetic.js';
import { Random } from '../random.js';
import { drawPlan, type Action, type FaultProfile } from '../schedule.js';
import { NODE_STRATEGIES } from '../strategies/index.js';

/** Length of the troubled part where nothing else is asked for, in simulated ms. */
export const NODE_CHAOS_MS = 15_000;

/** The strategy of a node that is two processes with one key: each is honest, together they contradict themselves. */
const TWINS = 'twins';

/** What operators do with members, beside what happens to machines and links. */
export type MemberAction = { readonly at: number } & (
  | { readonly type: 'join-network'; readonly node: number; readonly via: number }
  | { readonly type: 'leave-network'; readonly node: number }
  | { readonly type: 'evict'; readonly node: number }
);
/** What happens in a run of the node simulator, and when. */
export type NodeAction = Action | MemberAction;

/** What a run of whole nodes is made of, before it runs. Plain data, like the plan of a core simulation. */
export interface NodePlan {
  readonly nodes: number;
  /** Nodes 0 to founders - 1 belong to the network before the trouble; the others join in it. */
  readonly founders: number;
  /** The trouble waits until all founders are validators; else it comes over the network as it grows from one. */
  readonly grown: boolean;
  /** Name of the strategy of each Byzantine node; `twins` where a second process has its key. */
  readonly byzantine: Readonly<Record<number, string>>;
  /** Whose key, and what part of whose disk, each process beyond `nodes` has from the trouble on. */
  readonly twins: readonly number[];
  readonly guard: boolean;
  /** Nodes make transactions of the evidence that they keep, which evict whoever signed two votes. */
  readonly accuse: boolean;
  /** The longest that the disk of each process takes for a read or a write once the trouble begins, in ms: so that a power cut falls into one. */
  readonly diskMs: readonly number[];
  readonly actions: readonly NodeAction[];
}

const NONE: FaultProfile = {
  network: false,
  partitions: false,
  crashes: false,
  disks: false,
  clocks: false,
  members: false,
  byzantine: false,
};

/** The values of `--faults` for whole nodes. */
export const NODE_PROFILES: Readonly<Record<string, FaultProfile>> = {
  none: NONE,
  network: { ...NONE, network: true, partitions: true },
  power: { ...NONE, crashes: true },
  members: { ...NONE, members: true, network: true, crashes: true },
  byzantine: { ...NONE, byzantine: true, network: true, partitions: true, crashes: true },
  mixed: {
    network: true,
    partitions: true,
    crashes: true,
    disks: true,
    clocks: true,
    members: true,
    byzantine: true,
  },
};

/** How one seed of the node simulator is run. */
export interface NodeRunOptions {
  readonly seed: number;
  /** Nodes; without it the seed draws 1 to 5. */
  readonly nodes?: number | undefined;
  /** A name of `NODE_PROFILES`. Default `mixed`. */
  readonly faults?: string | undefined;
  /** Length of the troubled part, in simulated ms. Default 15,000. */
  readonly chaosMs?: number | undefined;
  /** Strategies of Byzantine nodes to draw from. Default: all. */
  readonly strategies?: readonly string[] | undefined;
  /** Run this instead of what the seed draws. */
  readonly plan?: NodePlan | undefined;
  readonly trace?: ((line: string) => void) | undefined;
}

/** What a seed is made of. @throws RangeError for an unknown profile */
export function nodePlanOf(options: NodeRunOptions): NodePlan {
  if (options.plan !== undefined) return options.plan;
  const profile = NODE_PROFILES[options.faults ?? 'mixed'];
  if (profile === undefined) {
    throw new RangeError(
      `no fault profile "${options.faults ?? ''}"; there are ${Object.keys(NODE_PROFILES).join(', ')}`,
    );
  }
  const random = new Random(options.seed);
  const planned = random.fork(7);
  const nodes = options.nodes ?? planned.pick([4, 4, 4, 3, 1, 2, 5]);
  const chaosMs = options.chaosMs ?? NODE_CHAOS_MS;
  const members = new MemberPlanner(random.fork(9), { nodes, profile, chaosMs, strategies: options.strategies });
  const drawn = members.plan();
  const twins = Object.keys(drawn.byzantine)
    .map(Number)
    .filter((node) => drawn.byzantine[node] === TWINS);
  const processes = nodes + twins.length;
  // The core simulation has its own ways with members and liars.
  const faults = { ...profile, members: false, byzantine: false };
  const { guard, actions } = drawPlan(planned, { nodes: processes, profile: faults, chaosMs, strategies: [] });
  const disks = random.fork(8);
  const diskMs = Array.from({ length: processes }, () => (profile.crashes ? disks.pick([3, 3, 30, 100]) : 3));
  const all = [...actions, ...drawn.actions].sort((a, b) => a.at - b.at);
  return {
    nodes,
    founders: drawn.founders,
    grown: drawn.grown,
    byzantine: drawn.byzantine,
    twins,
    guard,
    accuse: profile.byzantine && random.fork(11).chance(0.5),
    diskMs,
    actions: all,
  };
}

/** Whose key a process has. */
export function identityOf(plan: Pick<NodePlan, 'nodes' | 'twins'>, process: number): number {
  return plan.twins[process - plan.nodes] ?? process;
}

interface MemberOptions {
  readonly nodes: number;
  readonly profile: FaultProfile;
  readonly chaosMs: number;
  readonly strategies: readonly string[] | undefined;
}

/**
 * Draws who lies and how members come and go. Never more liars than the smallest set tolerates that the drawn changes can
 * lead to: beyond that bound nothing is promised.
 */
class MemberPlanner {
  readonly #random: Random;
  readonly #options: MemberOptions;
  readonly #byzantine: Record<number, string> = {};
  readonly #actions: MemberAction[] = [];

  constructor(random: Random, options: MemberOptions) {
    this.#random = random;
    this.#options = options;
  }

  plan(): Pick<NodePlan, 'founders' | 'grown' | 'byzantine'> & { readonly actions: readonly MemberAction[] } {
    const { nodes, profile, strategies } = this.#options;
    const random = this.#random;
    const members = profile.members && random.chance(0.6);
    const late = members && nodes > 1 && random.chance(0.5) ? 1 + random.below(Math.min(2, nodes - 1)) : 0;
    const founders = nodes - late;
    const liars = profile.byzantine && random.chance(0.6) ? toleratedAmong(founders) : 0;
    const all = Array.from({ length: founders }, (_, index) => index);
    for (const node of random.shuffle(all).slice(0, liars)) {
      this.#byzantine[node] = random.pick(strategies ?? [...Object.keys(NODE_STRATEGIES), TWINS, TWINS]);
    }
    if (members) {
      for (let node = founders; node < nodes; node += 1)
        this.#join(node, random.between(0, this.#until(0.8)), founders);
      this.#departures(founders);
    }
    // A smaller network tolerates fewer liars.
    const grown = liars > 0 || random.chance(0.8);
    return { founders, grown, byzantine: this.#byzantine, actions: this.#actions };
  }

  #until(share: number): number {
    return share * this.#options.chaosMs;
  }

  #join(node: number, at: number, founders: number): void {
    const via = this.#random.below(founders);
    this.#actions.push({ at, type: 'join-network', node, via: via === node ? (via + 1) % founders : via });
  }

  #departures(founders: number): void {
    const random = this.#random;
    const liars = Object.keys(this.#byzantine).length;
    let left = founders;
    for (const node of random.shuffle(Array.from({ length: founders }, (_, index) => index))) {
      const lies = this.#byzantine[node] !== undefined;
      // A liar that is to go may stay on for long: until then the correct ones that go count, and it with those that lie.
      const tolerated = lies || toleratedAmong(left - 1) >= liars;
      if (!tolerated || left === 1 || !random.chance(0.3)) continue;
      if (!lies) left -= 1;
      const at = random.between(0, this.#until(0.8));
      if (lies) {
        // Whoever lies does not go by itself.
        this.#actions.push({ at, type: 'evict', node });
      } else if (random.chance(0.4)) this.#actions.push({ at, type: 'evict', node });
      else {
        this.#actions.push({ at, type: 'leave-network', node });
        if (random.chance(0.5)) this.#join(node, at + random.between(500, 5_000), founders);
      }
    }
  }
}
