import { parseArgs } from 'node:util';
import { Arena, pause } from './arena.js';
import { battery } from './battery.js';
import { inOwnNetworks, ownerHere, tell } from './main-network.js';
import { four } from './plans.js';
import { residentMb } from '../support/processes.js';
import { randomOf } from '../support/random.js';
import { pick, type Scenario } from './scenario.js';

/** What may happen in a minute: each leaves the network as it was. */
const PERTURBATIONS: readonly string[] = ['N1', 'N2', 'N3', 'CR1', 'CR3', 'CR7', 'CR8'];
const FAULT_MS = 10_000;
const MINUTE_MS = 60_000;

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '60' }, seed: { type: 'string' } },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);

interface Sample {
  readonly minute: number;
  readonly mb: readonly number[];
}

/** MB per hour that memory grows by, over all samples of one node after the first fifth (least squares). */
function slope(samples: readonly Sample[], node: number): number {
  const late = samples.slice(Math.floor(samples.length / 5));
  const n = late.length;
  if (n < 2) return 0;
  const xs = late.map(({ minute }) => minute / 60);
  const ys = late.map(({ mb }) => mb[node] ?? 0);
  const [mx, my] = [xs, ys].map((list) => list.reduce((sum, one) => sum + one, 0) / n) as [number, number];
  const over = xs.reduce((sum, x, index) => sum + (x - mx) * ((ys[index] ?? my) - my), 0);
  const under = xs.reduce((sum, x) => sum + (x - mx) ** 2, 0);
  return under === 0 ? 0 : over / under;
}

/** Four nodes under load for so many minutes, one perturbation in each; the invariants after every one of them. */
async function soak(owner: string): Promise<number> {
  const minutes = Number(values.minutes);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 1_000_000));
  const random = randomOf(seed);
  const scenarios = battery.filter(({ id, arena }) => arena === four && PERTURBATIONS.includes(id));
  say(`soak of ${minutes} minutes, seed ${seed}, Node ${process.version}`);
  const arena = await Arena.start(four.options({ owner, disks: true }));
  const samples: Sample[] = [];
  try {
    for (let minute = 0; minute < minutes; minute += 1) {
      const start = performance.now();
      const scenario: Scenario = pick(scenarios, random);
      const before = Math.round(await arena.warmUp(10_000));
      const outcome = await scenario.run(arena, { tier: 'tier 1', faultMs: FAULT_MS, repetition: minute, random });
      const { counts, recoveryMs } = await arena.judge();
      outcome.afterwards?.();
      const mb = arena.nodes.map(({ pid }) => Math.round(residentMb(pid)));
      samples.push({ minute, mb });
      say(`minute ${minute}: ${scenario.id}, ${before} tx/s before, recovery ${recoveryMs} ms, ${counts.ok} ok, ${counts.lost} lost, ${counts.duplicated} twice, MB ${mb.join(' ')}`); // prettier-ignore
      arena.load.start();
      await pause(Math.max(0, MINUTE_MS - (performance.now() - start)));
    }
  } catch (error) {
    say(
      `FAILED after ${samples.length} minutes: ${error instanceof Error ? error.message : String(error)}\n${arena.logs()}`,
    );
    return 1;
  } finally {
    await arena.remove();
  }
  say(`MB per hour: ${arena.nodes.map(({ name }, index) => `${name} ${slope(samples, index).toFixed(1)}`).join(', ')}`);
  say(`${samples.length} passed, 0 failed`);
  return 0;
}

async function outside(): Promise<number> {
  const ran = await inOwnNetworks(import.meta.url, [{ args: [] }], { needs: ['disk'] });
  if (!('reason' in ran)) return Number(ran.told[0] ?? 1);
  say(`skipped: ${ran.reason}`);
  say('0 passed, 0 failed, 1 skipped');
  return 0;
}

const owner = ownerHere();
if (owner === undefined) process.exitCode = await outside();
else tell(await soak(owner));
