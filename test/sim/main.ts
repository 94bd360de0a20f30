import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import {
  FAULT_PROFILES,
  NODE_PROFILES,
  runWideArea,
  shrinkCore,
  shrinkNodes,
  TWINS_PER_ROUND,
  type CoreRunOptions,
} from '@it-chain/testkit';
import { runCampaign, type CampaignOptions, type CampaignReport, type Failure } from './campaign.js';
import { runSeed, type SeedOptions } from './run-seed.js';
import { shippedMachine } from './shipped-machine.js';
import { shippedNodes } from './shipped-plugins.js';
import type { SimulatorKind } from './worker.js';

const USAGE = `npm run sim -- --seeds FROM..TO [--nodes N] [--faults PROFILE] [--node] [--jobs N] [--seconds S [--at-least N]] [--bail]
npm run sim -- --seed S [--nodes N] [--faults PROFILE] [--node] [--trace | --shrink]
npm run sim -- --twins ROUNDS [--seed CASE [--trace]]     every case of one twin among four validators, 64 a round
npm run sim -- --wan MS,MS [--nodes N,N]                  finality and messages over links of so many ms

Profiles: ${Object.keys(FAULT_PROFILES).join(', ')}; with --node ${Object.keys(NODE_PROFILES).join(', ')} (default mixed). Without --nodes each seed draws 1 to 7 validators.
--node runs all shipped plugins instead of the consensus machine alone. --chaos MS sets the length of the troubled part.
`;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

interface Choice {
  readonly kind: SimulatorKind;
  readonly nodes: number | undefined;
  readonly faults: string | undefined;
  readonly strategies: readonly string[] | undefined;
  readonly chaosMs: number | undefined;
  readonly rounds: number | undefined;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      seed: { type: 'string' },
      nodes: { type: 'string' },
      faults: { type: 'string' },
      strategy: { type: 'string', multiple: true },
      chaos: { type: 'string' },
      jobs: { type: 'string' },
      seconds: { type: 'string' },
      'at-least': { type: 'string' },
      twins: { type: 'string' },
      wan: { type: 'string' },
      node: { type: 'boolean', default: false },
      bail: { type: 'boolean', default: false },
      trace: { type: 'boolean', default: false },
      shrink: { type: 'boolean', default: false },
    },
  });
  if (values.wan !== undefined) return wideArea(values.wan, values.nodes ?? '4,7,16,31,64,100');
  const rounds = number(values.twins);
  const choice: Choice = {
    kind: rounds !== undefined ? 'twins' : values.node ? 'node' : 'core',
    rounds,
    nodes: number(values.nodes),
    faults: values.faults,
    strategies: values.strategy,
    chaosMs: number(values.chaos),
  };
  if (values.seed !== undefined) {
    const options = { ...choice, seed: Number(values.seed) };
    return values.shrink ? shrink(choice.kind, options) : one(choice, options, values.trace);
  }
  const how = {
    jobs: number(values.jobs),
    seconds: number(values.seconds),
    atLeast: number(values['at-least']),
    bail: values.bail,
  };
  if (rounds !== undefined && values.seeds === undefined) {
    return campaign(choice, 0, TWINS_PER_ROUND ** rounds - 1, how);
  }
  const range = /^(\d+)(?:\.\.(\d+))?$/.exec(values.seeds ?? '');
  if (range === null) {
    process.stderr.write(USAGE);
    return 2;
  }
  const [from, to] = [Number(range[1]), Number(range[2] ?? range[1])];
  return campaign(choice, from, to, how);
}

async function campaign(
  choice: Choice,
  from: number,
  to: number,
  how: Pick<CampaignOptions, 'jobs' | 'seconds' | 'atLeast' | 'bail'>,
): Promise<number> {
  const begun = performance.now();
  let told = 0;
  let shown = begun;
  const onProgress = (report: CampaignReport): void => {
    for (; told < report.failures.length; told += 1) {
      const failure = report.failures[told];
      if (failure !== undefined) tellFailure(choice, failure);
    }
    if (performance.now() - shown < 30_000) return;
    shown = performance.now();
    print(`... ${report.passed} passed after ${seconds(begun)} s`);
  };
  const report = await runCampaign({ ...choice, from, to, ...how, onProgress });
  const runs = report.passed + report.failures.length;
  const rate = report.cpuMs === 0 ? 0 : (runs / report.cpuMs) * 1_000;
  const each = (value: number, digits = 0): string => (value / Math.max(1, runs)).toFixed(digits);
  print(
    `${choice.kind} simulator, seeds ${from}..${from + runs - 1}${choice.nodes === undefined ? '' : `, ${choice.nodes} nodes`}, faults ${choice.faults ?? 'mixed'}: ` +
      `${each(report.simulatedMs / 1_000, 1)} simulated seconds, ${each(report.heights, 1)} blocks and ${each(report.messages)} messages a seed`,
  );
  print(`${rate.toFixed(1)} seeds per CPU second, ${seconds(begun)} s; combined trace ${report.combined.toString(16)}`);
  print(`${report.passed} passed, ${report.failures.length} failed`);
  return report.failures.length === 0 && report.passed > 0 ? 0 : 1;
}

async function one(choice: Choice, options: SeedOptions, trace: boolean): Promise<number> {
  const report = await runSeed(choice.kind, { ...options, trace: trace ? print : undefined });
  const { validators, lies = 0, evidence = 0 } = report;
  const nodes = validators === undefined ? '' : `, up to ${validators} validators, ${lies} lies, ${evidence} proofs`;
  print(
    `seed ${report.seed}: trace ${report.traceHash}, ${report.simulatedMs} simulated ms, height ${report.height}${nodes}`,
  );
  if (report.violation === undefined) {
    print('1 passed, 0 failed');
    return 0;
  }
  const { message, cause } = report.violation;
  print(message);
  if (cause instanceof Error) print(cause.stack ?? '');
  print('0 passed, 1 failed');
  return 1;
}

async function shrink(kind: SimulatorKind, options: CoreRunOptions): Promise<number> {
  if (kind === 'twins') throw new RangeError('a case of the twins is as small as it can be');
  const { plan, chaosMs, report, runs } =
    kind === 'node'
      ? await shrinkNodes(shippedNodes, { ...options, plan: undefined })
      : await shrinkCore(shippedMachine, options);
  print(`${runs} runs: ${plan.actions.length} actions in ${Math.round(chaosMs)} ms break it still`);
  print(JSON.stringify({ ...plan, actions: [] }));
  for (const action of plan.actions) print(JSON.stringify(action));
  print(report.violation?.message ?? '');
  return 1;
}

function wideArea(latencies: string, sizes: string): number {
  print('one-way ms  validators  leader ms  all ms  messages/block  KiB/block');
  for (const linkMs of latencies.split(',').map(Number)) {
    for (const nodes of sizes.split(',').map(Number)) {
      const report = runWideArea(shippedMachine, { nodes, linkMs, blocks: 5 });
      const cells = [
        linkMs,
        nodes,
        report.leaderMs,
        report.allMs,
        report.messagesPerBlock,
        report.bytesPerBlock / 1_024,
      ];
      const widths = [10, 12, 11, 8, 16, 11];
      print(cells.map((cell, index) => cell.toFixed(0).padStart(widths[index] ?? 10)).join(''));
    }
  }
  return 0;
}

function tellFailure(choice: Choice, { seed, message, traceHash }: Failure): void {
  const flags = [
    choice.kind === 'node' ? ' --node' : '',
    choice.rounds === undefined ? '' : ` --twins ${choice.rounds}`,
    choice.nodes === undefined ? '' : ` --nodes ${choice.nodes}`,
    choice.faults === undefined ? '' : ` --faults ${choice.faults}`,
    choice.chaosMs === undefined ? '' : ` --chaos ${choice.chaosMs}`,
    ...(choice.strategies ?? []).map((name) => ` --strategy ${name}`),
  ].join('');
  print(`seed ${seed} failed: ${message}`);
  print(`  commit ${commit()}, trace ${traceHash}; replay: npm run sim -- --seed ${seed}${flags} --trace`);
}

function commit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    // An archive without history has no commit to name.
    return 'unknown';
  }
}

const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
const seconds = (since: number): string => ((performance.now() - since) / 1_000).toFixed(1);

process.exitCode = await main();
