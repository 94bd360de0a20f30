import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { randomOf } from '../support/random.js';
import { Arena, pause } from './arena.js';
import { caughtUp, nextBlock } from './measures.js';
import { inOwnNetworks, ownerHere, tell } from './main-network.js';
import { four } from './plans.js';
import { pick } from './scenario.js';

/** The whole chain is audited, and the ledger compared with it, after so many kills. */
const JUDGED_EVERY = 25;
const RATE_MS = 2_000;

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '500' },
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string' },
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Times of one kill, in ms. */
interface Kill {
  readonly wasLeader: boolean;
  /** From the start of the new process to its readiness. */
  readonly readyMs: number;
  /** From the start of the new process until it is where the others are. */
  readonly backMs: number;
  /** From the kill to the next block of the others. */
  readonly nextBlockMs: number;
}

/** The value that so many hundredths are at or below. */
function percentile(sorted: readonly number[], hundredth: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * hundredth) / 100) - 1)] ?? 0;
}

function spread(title: string, times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const [p50, p95, p99] = [50, 95, 99].map((hundredth) => percentile(sorted, hundredth));
  return `${title}: p50 ${p50}, p95 ${p95}, p99 ${p99}, most ${sorted.at(-1) ?? 0} ms`;
}

/** kill -9 of one of four nodes under load, at any moment of a round; then it is started again. */
async function killOne(arena: Arena, random: () => number): Promise<Kill> {
  const victim = pick([0, 1, 2, 3], random);
  await arena.warmUp(RATE_MS);
  await pause(random() * 1_000);
  const wasLeader = (await arena.leader()) === victim;
  await arena.nodes[victim]?.kill();
  const nextBlockMs = await nextBlock(arena, arena.watch.height + 1, 20_000);
  const start = performance.now();
  await arena.nodes[victim]?.start();
  const readyMs = Math.round(performance.now() - start);
  await caughtUp(arena, victim, 10_000);
  return { wasLeader, readyMs, backMs: Math.round(performance.now() - start), nextBlockMs };
}

/** Kills one after the other until there were enough or the time is over, with the invariants in between. */
async function run(owner: string): Promise<number> {
  const count = Number(values.count);
  const end = performance.now() + Number(values.minutes) * 60_000;
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
  const random = randomOf(seed);
  const { stdout: commit } = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' });
  say(`${count} kills at most, seed ${seed}, commit ${commit.trim()}, Node ${process.version}`);
  const arena = await Arena.start(four.options({ owner }));
  const kills: Kill[] = [];
  try {
    while (kills.length < count && performance.now() < end) {
      kills.push(await killOne(arena, random));
      if (kills.length % JUDGED_EVERY === 0) await judge(arena, kills);
    }
    if (kills.length % JUDGED_EVERY !== 0) await judge(arena, kills);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    say(`FAILED after ${kills.length} kills: ${text}\n${arena.logs()}`);
    say(`${kills.length} passed, 1 failed`);
    return 1;
  } finally {
    await arena.remove();
  }
  say(`${kills.length} kills, ${kills.filter(({ wasLeader }) => wasLeader).length} of them of the leader`);
  say(spread('from the start of the killed node until it is at the tip', kills.map(({ backMs }) => backMs))); // prettier-ignore
  say(spread('until it is ready', kills.map(({ readyMs }) => readyMs))); // prettier-ignore
  say(spread('from the kill until the others commit the next two blocks', kills.map(({ nextBlockMs }) => nextBlockMs))); // prettier-ignore
  say(`${kills.length} passed, 0 failed`);
  return 0;
}

async function judge(arena: Arena, kills: readonly Kill[]): Promise<void> {
  const { counts, height, maxRssMb } = await arena.judge();
  say(`${kills.length} kills, height ${height}: ${counts.acknowledged} acknowledged, ${counts.ok} committed once, ${counts.lost} lost, ${counts.duplicated} twice, ${counts.unexpected} unexpected, ${maxRssMb} MB`); // prettier-ignore
}

async function outside(): Promise<number> {
  const ran = await inOwnNetworks(import.meta.url, [{ args: [] }], { needs: [] });
  if (!('reason' in ran)) return Number(ran.told[0] ?? 1);
  say(`skipped: ${ran.reason}`);
  say('0 passed, 0 failed, 1 skipped');
  return 0;
}

const owner = ownerHere();
if (owner === undefined) process.exitCode = await outside();
else tell(await run(owner));
