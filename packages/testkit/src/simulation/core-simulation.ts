import { CoreNetwork } from './core-network.js';
import { broken, thrown, type InvariantViolation } from './invariants.js';
import type { ConsensusMachine, MachineOptions } from './machine.js';
import { Random } from './random.js';
import { drawPlan, FAULT_PROFILES, type Action, type Plan } from './schedule.js';
import { STRATEGIES } from './strategies/index.js';

/** T0 and Tmax of simulated machines: short, so that 30 s hold many rounds. */
export const SIMULATED_TIMES = { baseTimeoutMs: 500, maxTimeoutMs: 4_000 } as const;
/** Blocks that every correct validator must gain in peace. */
const BLOCKS_IN_PEACE = 5;
/** The limit for that, in Tmax. */
const PEACE_IN_TMAX = 10;

/** How one seed is run. */
export interface CoreRunOptions {
  readonly seed: number;
  /** Validators; without it the seed draws 1 to 7. */
  readonly nodes?: number | undefined;
  /** A name of {@link FAULT_PROFILES}. Default `mixed`. */
  readonly faults?: string | undefined;
  /** Length of the troubled part, in simulated ms. Default 30,000. */
  readonly chaosMs?: number | undefined;
  /** Strategies to draw from. Default: all, and `twins`. */
  readonly strategies?: readonly string[] | undefined;
  /** Run this instead of what the seed draws. */
  readonly plan?: Plan | undefined;
  readonly machine?: Partial<MachineOptions> | undefined;
  /** Told each step as a line of text. */
  readonly trace?: ((line: string) => void) | undefined;
}

/** What became of a run. */
export interface RunReport {
  readonly seed: number;
  readonly plan: Plan;
  readonly violation: InvariantViolation | undefined;
  /** Equal for equal runs, on every machine. */
  readonly traceHash: string;
  readonly simulatedMs: number;
  readonly steps: number;
  readonly messages: number;
  /** Height of the highest correct node. */
  readonly height: number;
}

/** What a seed is made of. @throws RangeError for an unknown profile */
export function planOf(options: CoreRunOptions): Plan {
  if (options.plan !== undefined) return options.plan;
  const profile = FAULT_PROFILES[options.faults ?? 'mixed'];
  if (profile === undefined) {
    throw new RangeError(
      `no fault profile "${options.faults ?? ''}"; there are ${Object.keys(FAULT_PROFILES).join(', ')}`,
    );
  }
  const random = new Random(options.seed).fork(7);
  const drawn = random.pick([4, 4, 4, 4, 7, 1, 2, 3, 5, 6]);
  const strategies = options.strategies ?? [...Object.keys(STRATEGIES), 'twins', 'twins'];
  return drawPlan(random, { nodes: options.nodes ?? drawn, profile, chaosMs: options.chaosMs ?? 30_000, strategies });
}

/** Runs one seed: trouble, then peace. Safety is checked after every step, liveness at the end. */
export function runCore<State>(machine: ConsensusMachine<State>, options: CoreRunOptions): RunReport {
  const plan = planOf(options);
  const chaosMs = options.chaosMs ?? 30_000;
  const network = new CoreNetwork(machine, {
    seed: options.seed,
    identities: plan.identities,
    founders: plan.founders,
    guard: plan.guard,
    machine: { ...SIMULATED_TIMES, leaderTerm: plan.leaderTerm, ...options.machine },
    trace: options.trace,
  });
  let violation: InvariantViolation | undefined;
  try {
    assignStrategies(network, plan);
    network.startAll();
    for (const action of plan.actions) {
      network.run(action.at - network.now);
      perform(network, action);
    }
    network.run(chaosMs - network.now);
    peace(network);
  } catch (error) {
    violation = thrown(error, 'the simulation');
  }
  return {
    seed: options.seed,
    plan,
    violation,
    traceHash: network.traceHash.value,
    simulatedMs: Math.round(network.now),
    steps: network.queue.steps,
    messages: network.messages,
    height: Math.max(0, ...network.correct.map(({ tip }) => tip.height)),
  };
}

function assignStrategies<State>(network: CoreNetwork<State>, plan: Plan): void {
  for (const [identity, name] of Object.entries(plan.byzantine)) {
    for (const node of network.nodes) {
      // A twin pair needs no lie: two correct machines with one key contradict each other by themselves.
      if (node.identity === Number(identity)) node.strategy = STRATEGIES[name]?.();
    }
  }
}

/** Does what an action says. */
export function perform<State>(network: CoreNetwork<State>, action: Action): void {
  network.say(JSON.stringify(action));
  switch (action.type) {
    case 'submit':
      network.submit(action.transaction, ...action.nodes);
      break;
    case 'links':
      network.links.faults = action.faults;
      break;
    case 'partition':
      network.partition(...action.groups);
      break;
    case 'cut':
      network.links.join();
      for (const [from, to] of action.links) network.links.cut(from, to);
      break;
    case 'join':
      network.links.join();
      break;
    case 'sessions':
      network.reconcileSessions();
      break;
    case 'crash':
      if (action.afterEffects === 0) network.crash(network.node(action.node));
      else network.node(action.node).fuse = action.afterEffects;
      break;
    case 'start':
      if (!network.node(action.node).alive) network.start(network.node(action.node));
      break;
    case 'power-cut':
      for (const node of network.nodes) network.crash(node);
      break;
    case 'power-on':
      network.startAll();
      break;
    case 'disk':
      network.node(action.node).disk = action.faults;
      network.node(action.node).failingStarts = action.failingStarts;
      break;
    case 'clock':
      network.node(action.node).clockOffset = action.offsetMs;
      network.node(action.node).drift = action.drift;
      break;
    case 'slow':
      network.node(action.node).slowMs = action.ms;
      break;
    case 'freeze':
      network.node(action.node).frozenUntil = network.now + action.ms;
      break;
  }
}

/** liveness: after the heal every correct node gains blocks in time, and every waiting transaction commits. */
function peace<State>(network: CoreNetwork<State>): void {
  network.heal();
  network.say('peace');
  network.startAll();
  const { correct } = network;
  for (const node of correct) for (const transaction of node.pool.keys()) network.submit(transaction);
  const from = Math.max(0, ...correct.map(({ tip }) => tip.height));
  const goal = from + BLOCKS_IN_PEACE;
  const end = network.now + PEACE_IN_TMAX * network.maxTimeoutMs;
  let turn = 0;
  const isLive = (): boolean => correct.every(({ tip, pool }) => tip.height >= goal && pool.size === 0);
  while (!isLive() && network.now < end) {
    if (correct.some(({ tip }) => tip.height < goal)) network.submit(`peace-${turn++}`);
    network.run(Math.min(500, end - network.now), isLive);
    network.startAll();
  }
  if (isLive()) return;
  const state = correct.map(({ index, tip, pool, state: of }) => {
    const { round, waiting } = network.machine.view(of);
    return `${index}: height ${tip.height}, round ${round}, ${pool.size} waiting${waiting === '' ? '' : ` (${waiting})`}`;
  });
  broken('liveness', `${PEACE_IN_TMAX} Tmax after the heal, at goal ${goal}: ${state.join('; ')}`);
}
