import { startRabbitMq, type PrivateRabbitMq } from '../support/rabbitmq.js';
import { Arena, limitMs, pause } from './arena.js';
import { SWITCH_HOST } from './net-lab.js';
import { randomOf } from '../support/random.js';
import type { ArenaPlan, Facts, Scenario, TierName } from './scenario.js';

/** What a run is asked to do. */
export interface RunOptions {
  readonly tier: TierName;
  /** The first repetition's seed; each has one of its own. */
  readonly seed: number;
  readonly owner: string;
  readonly say: (line: string) => void;
}

/** One repetition, as it went. */
export interface RunResult {
  readonly id: string;
  readonly title: string;
  readonly repetition: number;
  readonly seed: number;
  readonly error?: string | undefined;
  readonly facts: Facts;
}

const FAULT_MS: Readonly<Record<TierName, number>> = { ci: 5_000, 'tier 1': 30_000, 'tier 2': 30_000 };
/** I9 asks for a minute; a short repetition looks at the last seconds. */
const WARM_MS: Readonly<Record<TierName, number>> = { ci: 3_000, 'tier 1': 10_000, 'tier 2': 10_000 };

/** I6, before it is stretched. */
const MAX_DELAY_MS = 200;

interface Stage {
  readonly plan: ArenaPlan;
  readonly arena: Arena;
  readonly broker?: PrivateRabbitMq | undefined;
}

/** Runs scenarios, those of one arena together; a failed repetition gets a new arena for the next one. */
export async function runScenarios(scenarios: readonly Scenario[], options: RunOptions): Promise<RunResult[]> {
  const results: RunResult[] = [];
  let stage: Stage | undefined;
  try {
    for (const scenario of scenarios) {
      const disks = scenarios.some(({ arena, needs }) => arena === scenario.arena && needs?.includes('disk'));
      for (let repetition = 0; repetition < scenario.counts[options.tier]; repetition += 1) {
        if (stage !== undefined && stage.plan.name !== scenario.arena.name) {
          await leave(stage);
          stage = undefined;
        }
        const seed = options.seed + results.length;
        const result: RunResult = await runOne(scenario, { repetition, seed }, options, async () => {
          stage ??= await enter(scenario.arena, options, disks);
          return stage;
        });
        results.push(result);
        if (result.error !== undefined && stage !== undefined) {
          await leave(stage);
          stage = undefined;
        }
      }
    }
  } finally {
    if (stage !== undefined) await leave(stage);
  }
  return results;
}

async function runOne(
  scenario: Scenario,
  { repetition, seed }: { readonly repetition: number; readonly seed: number },
  { tier, say }: RunOptions,
  staged: () => Promise<Stage>,
): Promise<RunResult> {
  const { id, title } = scenario;
  const head = { id, title, repetition, seed };
  let arena: Arena | undefined;
  try {
    const stage = await staged();
    ({ arena } = stage);
    const before = Math.round(await arena.warmUp(WARM_MS[tier]));
    const faultMs = scenario.faultMs?.[tier] ?? FAULT_MS[tier];
    const { broker } = stage;
    const outcome = await scenario.run(arena, { tier, faultMs, repetition, broker, random: randomOf(seed) });
    const { counts, eventLoopP99Ms, ...verdict } = await arena.judge();
    outcome.afterwards?.();
    // A short run is for machines that do other work too: there the delay is told, and not judged.
    if (tier !== 'ci' && (eventLoopP99Ms ?? 0) > limitMs(MAX_DELAY_MS)) {
      throw new Error(`event loops are late by ${eventLoopP99Ms} ms (99th percentile)`);
    }
    const delay = eventLoopP99Ms === undefined ? {} : { eventLoopP99Ms };
    const facts = { txPerSecondBefore: before, ...outcome.facts, ...verdict, ...delay, ...counts };
    say(`ok     ${id} ${title} (seed ${seed}): ${words(facts)}`);
    return { ...head, facts };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    say(`FAILED ${id} ${title} (repetition ${repetition}, seed ${seed}): ${text}\n${arena?.logs() ?? ''}`);
    return { ...head, error: text, facts: {} };
  }
}

async function enter(plan: ArenaPlan, { owner, say }: RunOptions, disks: boolean): Promise<Stage> {
  const start = performance.now();
  const options = plan.options({ owner, disks });
  if (plan.broker !== true) {
    const arena = await Arena.start(options);
    say(`       ${plan.name} are up after ${Math.round(performance.now() - start)} ms`);
    return { plan, arena };
  }
  // The broker listens where the nodes can reach it: in the namespace of the switch, on the side no fault touches.
  const holder: { arena?: Arena } = {};
  let broker: PrivateRabbitMq | undefined;
  try {
    holder.arena = await Arena.start({
      ...options,
      busUrl: async () => {
        broker = await startRabbitMq(SWITCH_HOST);
        return broker.url;
      },
    });
    say(`       ${plan.name} are up after ${Math.round(performance.now() - start)} ms`);
    return { plan, arena: holder.arena, broker };
  } catch (error) {
    await broker?.remove();
    throw error;
  }
}

async function leave({ arena, broker }: Stage): Promise<void> {
  await arena.remove();
  await broker?.remove();
  // The kernel takes a moment to give the names of links free.
  await pause(200);
}

function words(facts: Facts): string {
  return Object.entries(facts)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
}
