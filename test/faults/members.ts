import { toHex } from '@it-chain/contracts';
import type { NodeProcess } from '../support/node-process.js';
import { until } from '../support/until.js';
import { pause, type Arena } from './arena.js';
import { caughtUp, nextBlock, stillness } from './measures.js';
import { four, seven } from './plans.js';
import { pick, shuffled, type ArenaPlan, type Scenario } from './scenario.js';

const SPARE = 5;

/** Some are away from the start to the end of a run, as many as may fail. */
function neverStarted(plan: ArenaPlan, nodes: number, absent: number): Scenario {
  return {
    id: 'N8',
    title: `${absent} of ${nodes} never there: blocks go on steadily`,
    arena: plan,
    counts: { ci: 0, 'tier 1': 1, 'tier 2': 1 },
    faultMs: { 'tier 2': 60_000 },
    async run(arena, { faultMs, random }) {
      const order = shuffled([...arena.nodes.keys()], random);
      const away = order.slice(0, absent);
      await Promise.all(arena.nodes.map((node) => node.kill()));
      await Promise.all(order.slice(absent).map((index) => arena.node(index).start()));
      const { height } = arena.watch;
      await nextBlock(arena, height + 1, 20_000);
      const [from, start] = [arena.watch.height, performance.now()];
      await pause(faultMs);
      // Each of those away would have led in this many.
      await nextBlock(arena, from + nodes, 60_000);
      const blocks = arena.watch.height - from;
      const longestGapMs = Math.round(arena.watch.longestGap(start));
      await Promise.all(away.map((index) => arena.node(index).start()));
      for (const index of away) await caughtUp(arena, index, 20_000);
      return { facts: { away: away.map((index) => `n${index + 1}`).join(' '), blocks, longestGapMs } };
    },
  };
}

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
  title: 'a member joins and leaves, or the leader does, while the network is cut, or a node is killed',
  arena: four,
  counts: { ci: 0, 'tier 1': 2, 'tier 2': 10 },
  async run(arena, { faultMs, random, repetition }) {
    const what = WHILE[repetition % WHILE.length] ?? 'a partition';
    const troubled = async (change: Promise<unknown>): Promise<void> => {
      // A failure is looked at below, once the fault is lifted.
      change.catch(() => undefined);
      await pause(random() * 2_000);
      await during(arena, what, faultMs, random);
      await change;
    };
    if (repetition % 2 === 1) {
      const leader = await arena.leader();
      await troubled(retire(arena, leader));
      const retiredAt = arena.watch.height;
      await troubled(comeBack(arena, leader));
      return { facts: { what, leader: `n${leader + 1}`, retiredAt, backAt: arena.watch.height } };
    }
    const joining = join(arena, `extra-${Date.now()}`);
    await troubled(joining);
    const joinedAt = arena.watch.height;
    await troubled(leave(arena, await joining));
    return { facts: { what, joinedAt, leftAt: arena.watch.height } };
  },
};

/** One of the four is no validator any more, but goes on as a node. */
async function retire(arena: Arena, index: number): Promise<void> {
  const client = arena.client(index);
  const count = arena.nodes.length - 1;
  await until(
    'three validators',
    async () => {
      if ((await client.status()).validators === count) return true;
      // Asked again, since the answer to a leave that was taken may be lost.
      await client.leave();
      return false;
    },
    60_000,
  );
}

/** It is a validator again. */
async function comeBack(arena: Arena, index: number): Promise<void> {
  const client = arena.client(index);
  const sponsor = arena.node((index + 1) % arena.nodes.length);
  await until('a node that lets it join again', () => client.join(sponsor.peer).then(() => true), 60_000);
  await until(
    'four validators again',
    async () => {
      const { role, validators } = await client.status();
      return role === 'validator' && validators === arena.nodes.length;
    },
    60_000,
  );
}

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
export const members: readonly Scenario[] = [neverStarted(four, 4, 1), neverStarted(seven, 7, 2), quorumAway, changes];
