import { parseArgs } from 'node:util';
import { randomOf } from '../support/random.js';
import { corpusOf, keep } from './corpus.js';
import { Coverage } from './coverage.js';
import { EDIT_KINDS, mutate, type Edit } from './mutate.js';
import { targets, type Target } from './targets.js';

/** Inputs between two looks at the coverage: a look costs as much as some dozens of them. */
const BATCH = 64;
/** Inputs that are kept in memory to go on from. */
const MAX_POOL = 2_000;
/** Longer ones are not kept in the repository. */
const MAX_KEPT_BYTES = 4_096;

const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
  },
});

const say = (line: string): void => void process.stdout.write(`${line}\n`);

interface Finding {
  readonly target: string;
  readonly path: string;
  readonly error: string;
}

/** Looks for inputs that reach new places of a decoder, or break it, for so many seconds. */
async function explore(target: Target, seconds: number, seed: number): Promise<Finding | undefined> {
  const { name, run } = target;
  const random = randomOf(seed);
  const below = (most: number): number => Math.floor(random() * most);
  const pool = [...target.seeds, ...corpusOf(name)];
  const coverage = new Coverage();
  await coverage.start();
  for (const input of pool) await run(input);
  await coverage.take();
  const [start, first] = [performance.now(), coverage.size];
  let inputs = 0;
  let kept = 0;
  const attempt = async (input: Uint8Array): Promise<Finding | undefined> => {
    inputs += 1;
    try {
      await run(input);
      return undefined;
    } catch (error) {
      return {
        target: name,
        path: keep(name, input),
        error: error instanceof Error ? (error.stack ?? '') : String(error),
      };
    }
  };
  try {
    while (performance.now() - start < seconds * 1_000) {
      const batch = Array.from({ length: BATCH }, () => {
        const parent = pool[below(pool.length)] ?? new Uint8Array(0);
        const edits: Edit[] = Array.from({ length: 1 + below(5) }, () => ({
          kind: EDIT_KINDS[below(EDIT_KINDS.length)] ?? 'flip',
          at: below(70_000),
          value: below(256),
        }));
        return mutate(parent, edits);
      });
      for (const input of batch) {
        const finding = await attempt(input);
        if (finding !== undefined) return finding;
      }
      const fresh = new Set(await coverage.take());
      if (fresh.size === 0 || pool.length >= MAX_POOL) continue;
      // One by one: which of the batch was it?
      for (const input of batch) {
        await run(input);
        const reached = await coverage.among(fresh);
        if (reached.length === 0) continue;
        for (const place of reached) fresh.delete(place);
        pool.push(input);
        if (values.keep && input.length <= MAX_KEPT_BYTES) keep(name, input);
        kept += 1;
      }
    }
  } finally {
    await coverage.stop();
  }
  const rate = Math.round(inputs / seconds);
  say(
    `${name}: ${inputs} inputs (${rate}/s), ${coverage.size} places, ${coverage.size - first} of them new, ${kept} inputs went on`,
  );
  return undefined;
}

const all = await targets();
const chosen = all.filter(({ name }) => values.target === undefined || name === values.target);
if (chosen.length === 0) {
  process.stderr.write(`--target ${String(values.target)} is none of ${all.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}
const findings: Finding[] = [];
for (const target of chosen) {
  const finding = await explore(target, Number(values.seconds), Number(values.seed));
  if (finding === undefined) continue;
  findings.push(finding);
  say(`${finding.target}: FOUND, kept as ${finding.path}\n${finding.error}`);
}
say(`${chosen.length - findings.length} passed, ${findings.length} failed`);
process.exitCode = findings.length === 0 ? 0 : 1;
