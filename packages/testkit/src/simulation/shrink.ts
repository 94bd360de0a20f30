import { planOf, runCore, type CoreRunOptions, type RunReport } from './core-simulation.js';
import type { InvariantViolation } from './invariants.js';
import type { ConsensusMachine } from './machine.js';
import { NODE_CHAOS_MS, nodePlanOf, type NodePlan } from './node/node-plan.js';
import type { NodeRunOptions } from './node/node-plan.js';
import { runNodes, type NodeRunReport } from './node/node-simulation.js';
import type { NodesUnderTest } from './node/node-stage.js';
import type { Plan } from './schedule.js';

/** A smaller run with the same violation. */
export interface Shrunk<P, Report> {
  readonly plan: P;
  readonly chaosMs: number;
  readonly report: Report;
  /** Runs that it took. */
  readonly runs: number;
}

interface Schedule {
  readonly actions: readonly { readonly at: number }[];
}

interface Outcome {
  readonly violation: InvariantViolation | undefined;
}

/** What is made smaller, and how a candidate is run. */
interface Shrinkable<P, Report> {
  readonly plan: P;
  readonly chaosMs: number;
  readonly maxRuns: number;
  readonly run: (plan: P, chaosMs: number) => Report | Promise<Report>;
}

/** Makes the schedule of a failing core seed smaller. @throws RangeError where the seed does not fail */
export function shrinkCore<State>(
  machine: ConsensusMachine<State>,
  options: CoreRunOptions,
  maxRuns = 400,
): Promise<Shrunk<Plan, RunReport>> {
  return shrink(options.seed, {
    plan: planOf(options),
    chaosMs: options.chaosMs ?? 30_000,
    maxRuns,
    run: (plan, chaosMs) => runCore(machine, { ...options, plan, chaosMs, trace: undefined }),
  });
}

/** Makes the schedule of a failing seed of whole nodes smaller. @throws RangeError where the seed does not fail */
export function shrinkNodes(
  under: NodesUnderTest,
  options: NodeRunOptions,
  maxRuns = 100,
): Promise<Shrunk<NodePlan, NodeRunReport>> {
  return shrink(options.seed, {
    plan: nodePlanOf(options),
    chaosMs: options.chaosMs ?? NODE_CHAOS_MS,
    maxRuns,
    run: (plan, chaosMs) => runNodes(under, { ...options, plan, chaosMs, trace: undefined }),
  });
}

/** While the same invariant breaks: first shorter, then without whole parts, then without single actions. */
async function shrink<P extends Schedule, Report extends Outcome>(
  seed: number,
  { plan: whole, chaosMs: whileLong, maxRuns, run }: Shrinkable<P, Report>,
): Promise<Shrunk<P, Report>> {
  let runs = 1;
  let plan = whole;
  let chaosMs = whileLong;
  let report = await run(plan, chaosMs);
  const invariant = report.violation?.invariant;
  if (invariant === undefined) throw new RangeError(`seed ${seed} breaks nothing`);
  const accept = async (actions: Schedule['actions'], ms: number): Promise<boolean> => {
    if (runs >= maxRuns) return false;
    runs += 1;
    // Some of its own actions: it is a plan of the same kind.
    const candidate = { ...plan, actions } as P;
    const next = await run(candidate, ms);
    if (next.violation?.invariant !== invariant) return false;
    [plan, chaosMs, report] = [candidate, ms, next];
    return true;
  };
  for (let ms = chaosMs / 2; ms > 100; ms /= 2) {
    const before = plan.actions.filter(({ at }) => at < ms);
    if (!(await accept(before, ms))) break;
  }
  for (let size = Math.ceil(plan.actions.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < plan.actions.length && runs < maxRuns;) {
      if (!(await accept(without(plan.actions, at, size), chaosMs))) at += size;
    }
  }
  return { plan, chaosMs, report, runs };
}

const without = <A>(actions: readonly A[], at: number, count: number): readonly A[] => [
  ...actions.slice(0, at),
  ...actions.slice(at + count),
];
