import { toHex } from '@it-chain/contracts';
import type { NodeProcess } from '../support/node-process.js';
import { until } from '../support/until.js';
import { pause, type Arena } from './arena.js';
import { caughtUp, nextBlock, stillness } from './measures.js';
import { four } from './plans.js';
import { pick, shuffled, type Scenario } from './scenario.js';

const SPARE = 5;

const neverStarted: Scenario = {
  id: 'N8',
  title: 'one of four is never there: blocks go on steadily',
  arena: four,
  counts: { ci: 0, 'tier 1': 1, 'tier 2': 1 },
  faultMs: { 'tier 2': 60_000 },
  async run(arena, { faultMs, random }) {
    const absent = pick([0, 1, 2, 3], random);
    await Promise.all(arena.nodes.map((node) => node.kill()));
    await Promise.all(arena.nodes.filter((_node, index) => index !== absent).map((node) => node.start()));
    const { height } = arena.watch;
    await nextBlock(arena, height + 1, 20_000);
    const [from, start] = [arena.watch.height, performance.now()];
    await pause(faultMs);
    const blocks = arena.watch.height - from;
    const longestGapMs = Math.round(arena.watch.longestGap(start));
    if (blocks === 0) throw new Error('three of four decide nothing');
    await arena.nodes[absent]?.start();
    await caughtUp(arena, absent, 20_000);
    return { facts: { absent: `n${absent + 1}`, blocks, longestGapMs } };
  },
};

const quorumAway: Scenario = {
  id: 'N9',
  title: 'two of four are away for a long time and come back one by one: rounds have not grown meanwhile',
  arena: four,
  counts: { ci: 0, 'tier 1': 1, 'tier 2': 2 },
  // Ten minutes in tier 2; long enough for six doublings of the round in tier 1.
  faultMs: { 'tier 1': 60_000, 'tier 2': 600_000 },
  async run(arena, { faultMs, random }) {
    const [first = 0, second = 1] = shuffled([0, 1, 2, 3], random);
    await Promise.all(
      arena.nodes.filter((_node, index) => index === first || index === second).map((node) => node.kill()),
    );
    const height = await stillness(arena);
    await pause(faultMs);
    if (arena.watch.height !== height) throw new Error('two of four decided a block');
    await arena.nodes[first]?.start();
    const resumedMs = await nextBlock(arena, height, 20_000);
    await arena.nodes[second]?.start();
    await caughtUp(arena, second, 20_000);
    return { facts: { resumedMs } };
  },
};

/** A fifth node joins and becomes a validator. */
async function join(arena: Arena, name: string): Promise<NodeProcess> {
  const node = await arena.spareNode(SPARE, name);
  await until(
    'the fifth validator',
    async () => {
      const { role, validators } = await node.client.status();
      return role === 'validator' && validators === arena.nodes.length + 1;
    },
    60_000,
  );
  return node;
}

/** The fifth node leaves, ends with the chain of the others, and goes. */
async function leave(arena: Arena, node: NodeProcess): Promise<void> {
  await node.client.leave();
  const count = arena.nodes.length;
  await until('four validators', async () => (await arena.client(0).status()).validators === count, 60_000);
  const { height, digest } = await arena.client(0).status();
  await until(`${node.name} at height ${height}`, async () => (await node.client.status()).height >= height, 60_000);
  const [block] = await node.client.blocks(height, 1);
  if (block === undefined || toHex(block.digest) !== toHex(digest)) {
    throw new Error(`agreement: ${node.name} has another block ${height}`);
  }
  await node.stop();
}

const WHILE = ['a partition', 'the leader cut off', 'kill -9'] as const;

const changes: Scenario = {
  id: 'N10',
  title: 'a member joins and leaves while the network is cut, or a node is killed',
  arena: four,
  counts: { ci: 0, 'tier 1': 1, 'tier 2': 10 },
  async run(arena, { faultMs, random, repetition }) {
    const what = WHILE[repetition % WHILE.length] ?? 'a partition';
    const joining = join(arena, `extra-${Date.now()}`);
    // A failure is looked at below, once the fault is lifted.
    joining.catch(() => undefined);
    await pause(random() * 2_000);
    await during(arena, what, faultMs, random);
    const node = await joining;
    const joinedAt = arena.watch.height;
    const leaving = leave(arena, node);
    leaving.catch(() => undefined);
    await pause(random() * 1_000);
    await during(arena, what, faultMs, random);
    await leaving;
    return { facts: { what, joinedAt, leftAt: arena.watch.height } };
  },
};

async function during(arena: Arena, what: string, faultMs: number, random: () => number): Promise<void> {
  if (what === 'kill -9') {
    const node = pick(arena.nodes.slice(1), random);
    await node.kill();
    await node.start();
    return;
  }
  const hosts = shuffled([1, 2, 3, 4], random);
  const leader = (await arena.leader()) + 1;
  const [one, other] =
    what === 'a partition' ? [hosts.slice(0, 2), hosts.slice(2)] : [[leader], hosts.filter((host) => host !== leader)];
  // The fifth stays with the first group: it hears some of the validators all the time.
  arena.lab.cut(one, [...other]);
  arena.lab.cut([SPARE], other);
  await pause(faultMs);
  arena.lab.heal();
}

/** Members that come, go, and stay away. */
export const members: readonly Scenario[] = [neverStarted, quorumAway, changes];
