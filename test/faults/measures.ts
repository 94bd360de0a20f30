import { until } from '../support/until.js';
import type { Arena } from './arena.js';

/** Waits until no node has shown a new block for 3 s: what was decided before a cut has arrived. Gives the height. */
export function stillness(arena: Arena): Promise<number> {
  let height = arena.watch.height;
  let since = performance.now();
  return until(
    'blocks to stop',
    () => {
      const now = arena.watch.height;
      if (now !== height) [height, since] = [now, performance.now()];
      return performance.now() - since >= 3_000 && height;
    },
    5_000,
  );
}

/** The highest tip of the nodes that run, asked of themselves. */
export async function highestTip(arena: Arena): Promise<number> {
  const running = arena.clients().filter((_client, index) => arena.nodes[index]?.running);
  const all = await Promise.all(running.map((client) => client.status()));
  return Math.max(...all.map(({ height }) => height));
}

/** Waits until some node has shown a block above `height`; gives the time it took, in ms. */
export async function nextBlock(arena: Arena, height: number, limitMs: number): Promise<number> {
  const start = performance.now();
  await until(`a block above ${height}`, () => arena.watch.height > height, limitMs);
  return Math.round(performance.now() - start);
}

/** Waits until the node at `index` is where the others are; gives the time it took, in ms. */
export async function caughtUp(arena: Arena, index: number, limitMs: number): Promise<number> {
  const start = performance.now();
  // Not the client that lives over restarts: that one dials a node that was away again after up to 2 s.
  const { client } = arena.node(index);
  await until(
    `n${index + 1} at the tip`,
    async () => {
      const tip = arena.watch.height;
      return (await client.status({ timeoutMs: 5_000 })).height >= tip;
    },
    limitMs,
  );
  return Math.round(performance.now() - start);
}

/** The value of a counter or gauge, over all of its labels. */
export async function metric(arena: Arena, index: number, name: string): Promise<number> {
  const text = await arena.client(index).metrics();
  let sum = 0;
  for (const line of text.split('\n')) {
    const [key = '', value = ''] = line.split(/\s+(?=\S+$)/);
    if (key === name || key.startsWith(`${name}{`)) sum += Number(value);
  }
  return sum;
}
