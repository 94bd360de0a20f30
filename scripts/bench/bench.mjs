// npm run bench: devnets of 1 and of 4 nodes on this machine, fed at rising rates until they saturate.
//   --nodes 1,4   --seconds 8   --bytes 250   --json
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { root, setup } from '../setup.mjs';

setup('src');
const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '1,4' },
    seconds: { type: 'string', default: '8' },
    bytes: { type: 'string', default: '250' },
    json: { type: 'boolean', default: false },
  },
});
const { keyPairFromSeed, signBytes, verifySignature } = await import('@it-chain/contracts');
const TICKS = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100;
const STEPS = {
  1: [500, 1000, 1500, 2000, 2500, 3000, 4000, 5000, 6500],
  4: [250, 500, 750, 1000, 1250, 1500, 2000, 2500],
};
const seconds = Number(values.seconds);

const report = {
  date: new Date().toISOString(),
  node: process.version,
  cpus: `${cpus().length} x ${cpus()[0]?.model ?? ''}`,
  verifyPerSecond: verifyRate(),
  runs: [],
};
say(`${report.cpus}, Node ${report.node}; one core verifies ${report.verifyPerSecond} Ed25519 signatures a second\n`);
for (const count of values.nodes.split(',').map(Number)) report.runs.push(await measure(count));
if (values.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);

async function measure(count) {
  const dir = mkdtempSync(join(tmpdir(), 'it-chain-bench-'));
  const devnet = await startDevnet(count, dir);
  const run = { nodes: count, idle: await idle(devnet.nodes), steps: [] };
  say(`${count} node(s), idle: ${run.idle.cpuPercent} % of a core and ${run.idle.memoryMb} MB per node`);
  say(
    '  offered tx/s | committed tx/s |  p50 ms |  p99 ms | CPU us/tx/node | MB/node | share of verify rate | tx/block',
  );
  for (const rate of STEPS[count] ?? STEPS[4]) {
    const step = await load(devnet.nodes, rate);
    run.steps.push(step);
    const cells = [
      step.offered,
      step.committedPerSecond,
      step.p50,
      step.p99,
      step.cpuMicrosPerTx,
      step.memoryMb,
      `${step.verifyShare} %`,
      step.transactionsPerBlock,
    ];
    const widths = [14, 16, 9, 9, 16, 9, 22, 10];
    say(`  ${cells.map((cell, index) => String(cell ?? '-').padStart((widths[index] ?? 10) - 2)).join(' | ')}`);
    if (step.committedPerSecond < rate * 0.85) break;
  }
  run.best = Math.max(...run.steps.map((step) => step.committedPerSecond));
  say(`  best: ${run.best} committed transactions a second\n`);
  await devnet.stop();
  rmSync(dir, { recursive: true, force: true });
  return run;
}

function startDevnet(count, dir) {
  const base = 20_000 + Math.floor(Math.random() * 20_000);
  const args = ['devnet', '--nodes', String(count), '--dir', dir, '--base-port', String(base), '--json'];
  const child = spawn(process.execPath, [join(root, 'packages', 'cli', 'dist', 'bin.js'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const nodes = [];
  return new Promise((resolve, reject) => {
    child.on('exit', (code) => reject(new Error(`the devnet ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      let read;
      try {
        read = JSON.parse(line);
      } catch {
        return;
      }
      if (read.pid !== undefined && read.api !== undefined) nodes.push(read);
      if (read.ready === true) resolve({ nodes, stop });
    });
  });
  function stop() {
    return new Promise((resolve) => {
      child.removeAllListeners('exit');
      child.on('exit', resolve);
      child.kill('SIGINT');
    });
  }
}

async function idle(nodes) {
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  const before = nodes.map(({ pid }) => cpuSeconds(pid));
  const span = 10;
  await new Promise((resolve) => setTimeout(resolve, span * 1_000));
  const used = nodes.map(({ pid }, index) => cpuSeconds(pid) - before[index]);
  return {
    cpuPercent: round((100 * average(used)) / span, 1),
    memoryMb: Math.round(average(nodes.map(({ pid }) => memoryMb(pid)))),
  };
}

async function load(nodes, rate) {
  const task = { feed: nodes[0].api, watch: nodes.at(-1).api, rate, seconds, bytes: Number(values.bytes), senders: 20 };
  const before = nodes.map(({ pid }) => cpuSeconds(pid));
  const result = await new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'scripts', 'bench', 'load.mjs'), JSON.stringify(task)], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.on('close', (code) => (code === 0 ? resolve(JSON.parse(out)) : reject(new Error(`load ended with ${code}`))));
  });
  const used = nodes.map(({ pid }, index) => cpuSeconds(pid) - before[index]);
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

/** CPU seconds of all threads of a process so far (proc(5)). */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

function memoryMb(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}

function average(numbers) {
  return numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
}

function round(value, digits) {
  return Number(value.toFixed(digits));
}

function say(line) {
  if (!values.json) process.stdout.write(`${line}\n`);
  else process.stderr.write(`${line}\n`);
}
