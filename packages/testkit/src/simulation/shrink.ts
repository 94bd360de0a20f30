import { runCore, planOf, type CoreRunOptions, type RunReport } from './core-simulation.js';
import type { ConsensusMachine } from './machine.js';
import type { Action, Plan } from './schedule.js';

/** A smaller run with the same violation. */
export interface Shrunk {
  readonly plan: Plan;
  readonly chaosMs: number;
  readonly report: RunReport;
  /** Runs that it took. */
  readonly runs: number;
}

/**
 * Makes the schedule of a failing seed smaller while the same invariant breaks: first shorter, then without whole parts,
 * then without single actions. @throws RangeError where the seed does not fail
 */
export function shrinkCore<State>(machine: ConsensusMachine<State>, options: CoreRunOptions, maxRuns = 400): Shrunk {
  let runs = 0;
  const attempt = (plan: Plan, chaosMs: number): RunReport => {
    runs += 1;
    return runCore(machine, { ...options, plan, chaosMs, trace: undefined });
  };
  let plan = planOf(options);
  let chaosMs = options.chaosMs ?? 30_000;
  let report = attempt(plan, chaosMs);
  const invariant = report.violation?.invariant;
  if (invariant === undefined) throw new RangeError(`seed ${options.seed} breaks nothing`);
  const accept = (candidate: Plan, ms: number): boolean => {
    if (runs >= maxRuns) return false;
    const next = attempt(candidate, ms);
    if (next.violation?.invariant !== invariant) return false;
    [plan, chaosMs, report] = [candidate, ms, next];
    return true;
  };
  for (let ms = chaosMs / 2; ms > 100; ms /= 2) {
    if (!accept({ ...plan, actions: plan.actions.filter(({ at }) => at < ms) }, ms)) break;
  }
  for (let size = Math.ceil(plan.actions.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < plan.actions.length && runs < maxRuns;) {
      if (!accept({ ...plan, actions: without(plan.actions, at, size) }, chaosMs)) at += size;
    }
  }
  return { plan, chaosMs, report, runs };
}

function without(actions: readonly Action[], at: number, count: number): readonly Action[] {
  return [...actions.slice(0, at), ...actions.slice(at + count)];
}
