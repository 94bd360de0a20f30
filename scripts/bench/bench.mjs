// npm run bench: devnets of 1 and of 4 nodes on this machine, fed at rising rates until they saturate.
//   --nodes 1,4        sizes of the devnets
//   --rates A,B,..     offered transactions a second, instead of the rising series
//   --seconds 8        how long each rate is offered
//   --bytes 250        size of an encoded transaction
//   --minutes 20       begins no new rate after this long
//   --base-port P      first port of the devnet (ten per node), instead of free ones
//   --profile DIR      CPU profiles of the nodes in DIR; read them with scripts/bench/profile.mjs. What is measured
//                      meanwhile, idle above all, includes the profiler
//   --recovery         instead: recovery after kill -9 and catching up, see recovery.mjs
//   --json             the report as JSON on standard output, the table on standard error
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve as resolvePath } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { root, setup } from '../setup.mjs';
import { startDevnet } from './devnet.mjs';
import { cpuSeconds, memoryMb } from './process-usage.mjs';

/** A rate is kept up with while at least this share of it is committed. */
const SATURATED_BELOW = 0.95;
/** Steps of the series that are offered, and for how long, before the first measured rate: compiling is not what is measured. */
const WARM_UP = { steps: 2, seconds: 10 };
const IDLE_SETTLE_MS = 3_000;
const IDLE_SECONDS = 20;
/** The rising series: steps of so many transactions a second, by the number of nodes. */
const stepOf = (nodes) => (nodes === 1 ? 500 : 250);
const COLUMNS = [
  ['offered tx/s', (step) => step.offered],
  ['committed tx/s', (step) => step.committedPerSecond],
  ['p50 ms', (step) => step.p50],
  ['p99 ms', (step) => step.p99],
  ['CPU us/tx/node', (step) => step.cpuMicrosPerTx],
  ['MB/node', (step) => step.memoryMb],
  ['share of verify rate', (step) => `${step.verifyShare} %`],
  ['tx/block', (step) => step.transactionsPerBlock],
];

if (process.argv.includes('--recovery')) {
  await import('./recovery.mjs');
  process.exit();
}
setup('src');
const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '1,4' },
    rates: { type: 'string' },
    seconds: { type: 'string', default: '8' },
    bytes: { type: 'string', default: '250' },
    minutes: { type: 'string', default: '20' },
    'base-port': { type: 'string' },
    profile: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const { keyPairFromSeed, signBytes, verifySignature } = await import('@it-chain/contracts');
const seconds = Number(values.seconds);
const deadline = performance.now() + Number(values.minutes) * 60_000;

const report = {
  date: new Date().toISOString(),
  commit: spawnSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).stdout.trim(),
  node: process.version,
  cpus: `${cpus().length} x ${cpus()[0]?.model ?? ''}`,
  secondsPerRate: seconds,
  bytesPerTransaction: Number(values.bytes),
  verifyPerSecond: verifyRate(),
  runs: [],
};
say(`${report.cpus}, Node ${report.node}, commit ${report.commit}`);
say(`one core verifies ${report.verifyPerSecond} Ed25519 signatures a second\n`);
for (const count of values.nodes.split(',').map(Number)) report.runs.push(await measure(count));
if (values.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);

async function measure(count) {
  const devnet = await startDevnet(count, {
    ...(values['base-port'] === undefined ? {} : { basePort: Number(values['base-port']) }),
    env: profiling(count),
  });
  try {
    const run = { nodes: count, idle: await idle(devnet.nodes), steps: [], saturated: false };
    say(`${count} node(s), idle: ${run.idle.cpuPercent} % of a core and ${run.idle.memoryMb} MB per node`);
    say(`  ${COLUMNS.map(([title]) => title).join(' | ')}`);
    await load(devnet.nodes, WARM_UP.steps * stepOf(count), WARM_UP.seconds);
    for (const rate of values.rates?.split(',').map(Number) ?? rising(stepOf(count))) {
      if (performance.now() > deadline) break;
      const step = await load(devnet.nodes, rate, seconds);
      run.steps.push(step);
      say(`  ${COLUMNS.map(([title, of]) => String(of(step) ?? '-').padStart(title.length)).join(' | ')}`);
      run.saturated = step.committedPerSecond < rate * SATURATED_BELOW;
      if (run.saturated && values.rates === undefined) break;
    }
    const kept = run.steps.filter((step) => step.committedPerSecond >= step.offered * SATURATED_BELOW);
    run.keptUpWith = Math.max(0, ...kept.map((step) => step.offered));
    run.best = Math.max(0, ...run.steps.map((step) => step.committedPerSecond));
    const end = run.saturated ? 'saturated above it' : 'not saturated when the run was ended';
    say(`  kept up with ${run.keptUpWith} tx/s, most committed ${run.best} tx/s; ${end}\n`);
    return run;
  } finally {
    await devnet.stop();
  }
}

function* rising(step) {
  for (let rate = step; ; rate += step) yield rate;
}

/** What makes the nodes write profiles: see profiler.mjs. */
function profiling(count) {
  if (values.profile === undefined) return {};
  const dir = resolvePath(values.profile, `${count}-nodes`);
  mkdirSync(dir, { recursive: true });
  const profiler = pathToFileURL(join(root, 'scripts', 'bench', 'profiler.mjs')).href;
  return { NODE_OPTIONS: `--import ${profiler}`, BENCH_PROFILE_DIR: dir };
}

/** Begins or ends the profiles. */
function toggleProfiles(nodes) {
  if (values.profile !== undefined) for (const { pid } of nodes) process.kill(pid, 'SIGUSR2');
}

async function idle(nodes) {
  await new Promise((resolve) => setTimeout(resolve, IDLE_SETTLE_MS));
  toggleProfiles(nodes);
  const before = nodes.map(({ pid }) => cpuSeconds(pid));
  await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1_000));
  const used = nodes.map(({ pid }, index) => cpuSeconds(pid) - before[index]);
  toggleProfiles(nodes);
  return {
    cpuPercent: round((100 * average(used)) / IDLE_SECONDS, 2),
    memoryMb: Math.round(average(nodes.map(({ pid }) => memoryMb(pid)))),
  };
}

async function load(nodes, rate, duration) {
  const task = {
    feed: nodes[0].api,
    watch: nodes.at(-1).api,
    rate,
    seconds: duration,
    bytes: report.bytesPerTransaction,
    senders: 20,
  };
  const child = spawn(process.execPath, [join(root, 'scripts', 'bench', 'load.mjs'), JSON.stringify(task)], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let before = [];
  const result = await new Promise((resolve, reject) => {
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
      if (before.length > 0 || !out.startsWith('signed\n')) return;
      // Signing was not the nodes' work: measured from here on.
      toggleProfiles(nodes);
      before = nodes.map(({ pid }) => cpuSeconds(pid));
      child.stdin.end('go\n');
    });
    child.on('close', (code) => {
      if (code === 0) resolve(JSON.parse(out.slice('signed\n'.length)));
      else reject(new Error(`the load ended with ${code}`));
    });
  });
  const used = nodes.map(({ pid }, index) => cpuSeconds(pid) - before[index]);
  toggleProfiles(nodes);
  return {
    ...result,
    cpuMicrosPerTx: result.committed === 0 ? null : Math.round((average(used) * 1e6) / result.committed),
    memoryMb: Math.round(average(nodes.map(({ pid }) => memoryMb(pid)))),
    verifyShare: round((100 * result.committedPerSecond) / report.verifyPerSecond, 1),
    transactionsPerBlock: result.blocks === 0 ? null : Math.round(result.committed / result.blocks),
  };
}

/** Signatures one core verifies a second, in CPU time of this run. */
function verifyRate() {
  const keys = keyPairFromSeed(Buffer.alloc(32, 7));
  const message = Buffer.alloc(250, 1);
  const signature = signBytes(message, keys.secretKey);
  const count = 10_000;
  const start = process.cpuUsage();
  for (let index = 0; index < count; index += 1) verifySignature(keys.publicKey, message, signature);
  const { user, system } = process.cpuUsage(start);
  return Math.round((count * 1e6) / (user + system));
}

function average(numbers) {
  return numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
}

function round(value, digits) {
  return Number(value.toFixed(digits));
}

function say(line) {
  (values.json ? process.stderr : process.stdout).write(`${line}\n`);
}
