import { Seen, type Coverage, type Ran } from './coverage.js';
import { EDIT_KINDS, mutate, type Edit } from './mutate.js';
import type { Target } from './targets.js';

/** Inputs between two looks at the coverage: a look costs as much as a hundred of them. */
const BATCH = 256;
/** Inputs that are kept in memory to go on from. */
const MAX_POOL = 2_000;
/** How often one part of an input is left out to make it shorter. */
const MAX_CUTS = 120;

/** How long to search: what is reached first ends it. */
export interface Budget {
  readonly seconds: number;
  readonly inputs: number;
}

/** What a search came to. */
export interface Searched {
  readonly inputs: number;
  readonly seconds: number;
  /** Inputs that reached what nothing before them had. */
  readonly reached: readonly Uint8Array[];
  /** Characters of source that the valid inputs and the corpus ran, and that all together ran. */
  readonly before: number;
  readonly after: number;
  /** The input that broke the decoder, where one did, and how. */
  readonly finding?: { readonly input: Uint8Array; readonly error: string } | undefined;
}

/** Looks for inputs that run what has not run yet, or break the target, and goes on from those that did the former. */
export async function search(
  target: Target,
  corpus: readonly Uint8Array[],
  budget: Budget,
  { coverage, random }: { readonly coverage: Coverage; readonly random: () => number },
): Promise<Searched> {
  const seen = new Seen();
  const pool: Uint8Array[] = [...target.seeds, ...corpus];
  const reached: Uint8Array[] = [];
  await coverage.take();
  for (const input of pool) seen.add(await covered(target, input, coverage));
  const before = seen.size;
  const start = performance.now();
  const elapsed = (): number => (performance.now() - start) / 1_000;
  let inputs = 0;
  const result = (finding?: Searched['finding']): Searched => ({
    inputs,
    seconds: elapsed(),
    reached,
    before,
    after: seen.size,
    finding,
  });
  /** Runs these together, then the halves of what ran something new, down to the single inputs that did. */
  const attribute = async (batch: readonly Uint8Array[]): Promise<void> => {
    for (const input of batch) await target.run(input);
    const ran = await coverage.take();
    if (seen.fresh(ran) === 0) return;
    const [only] = batch;
    if (batch.length === 1 && only !== undefined) {
      seen.add(ran);
      reached.push(only);
      if (pool.length < MAX_POOL) pool.push(only);
      return;
    }
    const half = batch.length >> 1;
    await attribute(batch.slice(0, half));
    await attribute(batch.slice(half));
  };
  while (elapsed() < budget.seconds && inputs < budget.inputs) {
    const batch = Array.from({ length: BATCH }, () => nextInput(pool, random));
    for (const input of batch) {
      inputs += 1;
      try {
        await target.run(input);
      } catch (error) {
        return result({ input, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
      }
    }
    if (seen.fresh(await coverage.take()) > 0) await attribute(batch);
  }
  return result();
}

/** A changed copy of an input of the pool, the newest more often; sometimes with the tail of another. */
function nextInput(pool: readonly Uint8Array[], random: () => number): Uint8Array {
  const below = (most: number): number => Math.floor(random() * most);
  const pick = (): Uint8Array => pool[below(pool.length)] ?? new Uint8Array(0);
  let parent = random() < 0.3 ? (pool[pool.length - 1 - below(Math.min(8, pool.length))] ?? pick()) : pick();
  if (random() < 0.15) {
    const other = pick();
    parent = Buffer.concat([parent.subarray(0, below(parent.length + 1)), other.subarray(below(other.length + 1))]);
  }
  const edits: Edit[] = Array.from({ length: 1 + below(5) }, () => ({
    kind: EDIT_KINDS[below(EDIT_KINDS.length)] ?? 'flip',
    at: below(70_000),
    value: below(256),
  }));
  return mutate(parent, edits);
}

/** What one input runs, where nothing else ran since the last look. */
async function covered(target: Target, input: Uint8Array, coverage: Coverage): Promise<Ran> {
  await target.run(input);
  return coverage.take();
}

/**
 * The fewest and shortest inputs that, with the valid ones, run all that these run: the short ones are asked first, and of
 * each everything is left out that it does not need for what it adds.
 */
export async function minimised(
  target: Target,
  inputs: readonly Uint8Array[],
  coverage: Coverage,
): Promise<Uint8Array[]> {
  const seen = new Seen();
  await coverage.take();
  for (const input of target.seeds) seen.add(await covered(target, input, coverage));
  const kept: Uint8Array[] = [];
  for (const input of [...inputs].sort((a, b) => a.length - b.length)) {
    const adds = seen.fresh(await covered(target, input, coverage));
    if (adds === 0) continue;
    const short = await shortened(input, async (candidate) => {
      return seen.fresh(await covered(target, candidate, coverage)) >= adds;
    });
    seen.add(await covered(target, short, coverage));
    kept.push(short);
  }
  return kept;
}

/** Leaves out halves, quarters, and so on down to single bytes, as long as the rest still does. */
async function shortened(input: Uint8Array, does: (candidate: Uint8Array) => Promise<boolean>): Promise<Uint8Array> {
  let now = input;
  let cuts = 0;
  for (let size = now.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at + size <= now.length && cuts < MAX_CUTS;) {
      const candidate = Buffer.concat([now.subarray(0, at), now.subarray(at + size)]);
      cuts += 1;
      if (await does(candidate)) now = candidate;
      else at += size;
    }
  }
  return now;
}
