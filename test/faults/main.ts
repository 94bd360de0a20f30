import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { installRabbitMq } from '../support/rabbitmq.js';
import { battery } from './battery.js';
import { inOwnNetwork } from './main-network.js';
import { runScenarios, type RunResult } from './runner.js';
import type { TierName } from './scenario.js';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const { values } = parseArgs({
  options: {
    tier: { type: 'string', default: 'ci' },
    only: { type: 'string' },
    seed: { type: 'string' },
    json: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});

const TIERS: Readonly<Record<string, TierName>> = { ci: 'ci', '1': 'tier 1', '2': 'tier 2' };

function main(): Promise<number> | number {
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
  return inOwnNetwork(import.meta.url, (owner) => within(tier, owner, wanted));
}

async function within(tier: TierName, owner: number, wanted: readonly string[] | undefined): Promise<number> {
  const chosen = battery.filter(({ id, counts }) => (wanted === undefined ? counts[tier] > 0 : wanted.includes(id)));
  // Who asks for a scenario by name gets it at least once.
  const asked = chosen.map((one) => ({ ...one, counts: { ...one.counts, [tier]: Math.max(1, one.counts[tier]) } }));
  const scenarios = wanted === undefined ? chosen : asked;
  if (scenarios.some(({ arena }) => arena.broker === true)) installRabbitMq();
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
  const { stdout: commit } = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' });
  say(`${tier}, seed ${seed}, commit ${commit.trim()}, Node ${process.version}`);
  const results = await runScenarios(scenarios, { tier, seed, owner, say });
  const failed = results.filter(({ error }) => error !== undefined);
  for (const { id, seed: own } of failed)
    say(`again: npm run faults -- --tier ${values.tier} --only ${id} --seed ${own}`);
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify(report(tier, commit, results), null, 2)}\n`);
  say(`${results.length - failed.length} passed, ${failed.length} failed, 0 skipped`);
  return failed.length === 0 && results.length > 0 ? 0 : 1;
}

function report(tier: TierName, commit: string, results: readonly RunResult[]): object {
  return { tier, commit: commit.trim(), date: new Date().toISOString(), node: process.version, results };
}

process.exitCode = await main();
