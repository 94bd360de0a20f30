import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { installRabbitMq } from '../support/rabbitmq.js';
import { battery, lanesOf } from './battery.js';
import { inOwnNetworks, ownerHere, tell } from './main-network.js';
import { runScenarios, type RunResult } from './runner.js';
import type { Scenario, TierName } from './scenario.js';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const { values } = parseArgs({
  options: {
    tier: { type: 'string', default: 'ci' },
    only: { type: 'string' },
    seed: { type: 'string' },
    json: { type: 'string' },
    list: { type: 'boolean', default: false },
    /** From the process outside to one inside: which of the networks it has. */
    lane: { type: 'string' },
  },
});

const TIERS: Readonly<Record<string, TierName>> = { ci: 'ci', '1': 'tier 1', '2': 'tier 2' };

async function main(): Promise<number> {
  const tier = TIERS[values.tier];
  if (tier === undefined) {
    process.stderr.write(`--tier ${values.tier} is none of ${Object.keys(TIERS).join(', ')}\n`);
    return 2;
  }
  const wanted = values.only?.split(',').map((id) => id.trim().toUpperCase());
  const unknown = wanted?.filter((id) => !battery.some((scenario) => scenario.id === id)) ?? [];
  if (unknown.length > 0) {
    const known = [...new Set(battery.map(({ id }) => id))].join(', ');
    process.stderr.write(`--only ${unknown.join(',')}: there is no such scenario; there are ${known}\n`);
    return 2;
  }
  if (values.list) {
    for (const { id, title, counts, arena } of battery) {
      say(`${id.padEnd(5)} ${title} [${arena.name}; ${counts.ci}/${counts['tier 1']}/${counts['tier 2']}]`);
    }
    return 0;
  }
  const scenarios = chosen(tier, wanted);
  const lanes = lanesOf(scenarios, tier);
  const owner = ownerHere();
  if (owner === undefined) return outside(tier, lanes);
  tell(await runScenarios(lanes[Number(values.lane)] ?? [], { tier, seed: Number(values.seed), owner, say }));
  return 0;
}

function chosen(tier: TierName, wanted: readonly string[] | undefined): readonly Scenario[] {
  if (wanted === undefined) return battery.filter(({ counts }) => counts[tier] > 0);
  // Who asks for a scenario by name gets it at least once.
  return battery
    .filter(({ id }) => wanted.includes(id))
    .map((one) => ({ ...one, counts: { ...one.counts, [tier]: Math.max(1, one.counts[tier]) } }));
}

async function outside(tier: TierName, lanes: readonly (readonly Scenario[])[]): Promise<number> {
  const scenarios = lanes.flat();
  const seed = values.seed ?? String(Math.floor(Math.random() * 1_000_000));
  const { stdout: commit } = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' });
  say(`${tier}, seed ${seed}, commit ${commit.trim()}, Node ${process.version}`);
  const needs = [...new Set(scenarios.flatMap(({ needs: own = [], arena }) => [...own, ...(arena.needs ?? [])]))];
  const ran = await inOwnNetworks(
    import.meta.url,
    lanes.map((_lane, index) => ({ args: ['--seed', seed, '--lane', String(index)] })),
    // From here on there is no way to a package archive any more.
    { needs, prepare: () => scenarios.some(({ arena }) => arena.broker === true) && installRabbitMq() },
  );
  if ('reason' in ran) {
    // A battery that did not run is no pass where it decides what lands.
    const inCi = process.env['CI'] === 'true';
    say(`${inCi ? 'failed' : 'skipped'}: ${ran.reason}`);
    say(inCi ? '0 passed, 1 failed, 0 skipped' : '0 passed, 0 failed, 1 skipped');
    return inCi ? 1 : 0;
  }
  const results = ran.told.flatMap((told) => (told ?? []) as readonly RunResult[]);
  const failed = results.filter(({ error }) => error !== undefined);
  for (const { id, seed: own } of failed) {
    say(`again: npm run faults -- --tier ${values.tier} --only ${id} --seed ${own}`);
  }
  if (values.json !== undefined) {
    const report = { tier, commit: commit.trim(), date: new Date().toISOString(), node: process.version, results };
    writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  }
  const wordless = ran.told.filter((told) => told === undefined).length;
  if (wordless > 0) say(`${wordless} of ${ran.told.length} networks ended before their scenarios`);
  say(`${results.length - failed.length} passed, ${failed.length + wordless} failed, 0 skipped`);
  return failed.length + wordless === 0 && results.length > 0 ? 0 : 1;
}

process.exitCode = await main();
