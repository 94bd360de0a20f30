import { until } from '../support/until.js';
import { pause, type Arena } from './arena.js';
import { caughtUp, highestTip, metric, nextBlock, stillness } from './measures.js';
import { farApart, four } from './plans.js';
import { pick, shuffled, type ArenaPlan, type Scenario } from './scenario.js';

const HOSTS = [1, 2, 3, 4] as const;
const others = (host: number): number[] => HOSTS.filter((one) => one !== host);

const halves: Scenario = {
  id: 'N1',
  title: 'two of four on each side: no block on either',
  arena: four,
  counts: { ci: 1, 'tier 1': 1, 'tier 2': 10 },
  async run(arena, { faultMs, random }) {
    const order = shuffled(HOSTS, random);
    const [one, other] = [order.slice(0, 2), order.slice(2)];
    arena.lab.cut(one, other);
    const height = await stillness(arena);
    await pause(faultMs);
    const after = await highestTip(arena);
    if (after !== height) throw new Error(`a half of two decided: from ${height} to ${after}`);
    arena.lab.heal();
    const resumedMs = await nextBlock(arena, height, 20_000);
    return { facts: { halves: `${one.join('')}|${other.join('')}`, resumedMs } };
  },
};

const leaderAlone: Scenario = {
  id: 'N2',
  title: 'the leader alone: three go on under another one, it catches up',
  arena: four,
  counts: { ci: 1, 'tier 1': 1, 'tier 2': 10 },
  async run(arena, { faultMs }) {
    const leader = (await arena.leader()) + 1;
    arena.lab.cut([leader], others(leader));
    const start = performance.now();
    // One block may have been decided by the old leader as the cut came; the second is the new one's.
    const failoverMs = await nextBlock(arena, arena.watch.height + 1, 20_000);
    await pause(Math.max(0, faultMs - (performance.now() - start)));
    // Blocks of the old leader may have been on their way to the three, or to this test, when the cut came.
    const behind = await until(
      'the three to be two blocks ahead of the leader alone',
      () => {
        const ahead = arena.watch.height - arena.watch.heightOf(leader - 1);
        return ahead >= 2 && ahead;
      },
      20_000,
    );
    arena.lab.heal();
    const caughtUpMs = await caughtUp(arena, leader - 1, 20_000);
    return { facts: { leader: `n${leader}`, failoverMs, behind, caughtUpMs } };
  },
};

const SHAPES = ['ring', 'one-way', 'bridge', 'deaf-leader'] as const;

const odd: Scenario = {
  id: 'N3',
  title: 'ring, one-way cuts, a bridge between halves, a leader that hears nobody',
  arena: four,
  counts: { ci: 0, 'tier 1': 1, 'tier 2': 15 },
  async run(arena, { faultMs, random, repetition }) {
    const [a = 1, b = 2, c = 3, d = 4] = shuffled(HOSTS, random);
    const shape = repetition === 0 ? pick(SHAPES, random) : (SHAPES[repetition % SHAPES.length] ?? 'ring');
    const { lab } = arena;
    if (shape === 'ring') {
      lab.cut([a], [c]);
      lab.cut([b], [d]);
    } else if (shape === 'one-way') {
      lab.cutOneWay(a, b);
      lab.cutOneWay(c, d);
    } else if (shape === 'bridge') lab.cut([a], [c, d]);
    else {
      const leader = (await arena.leader()) + 1;
      for (const other of others(leader)) lab.cutOneWay(other, leader);
    }
    const before = arena.watch.height;
    await pause(faultMs);
    const blocks = arena.watch.height - before;
    lab.heal();
    return { facts: { shape, blocks } };
  },
};

/** Connections per peer, and dials that failed, stay bounded. */
async function requireCalm(arena: Arena, dialsBefore: readonly number[], seconds: number): Promise<number> {
  let most = 0;
  for (const host of HOSTS) {
    for (const [peer, count] of arena.lab.connections(host)) {
      most = Math.max(most, count);
      if (count > 2) throw new Error(`host ${host} has ${count} connections to ${peer}`);
    }
    const dials = (await metric(arena, host - 1, 'p2p_dial_failures_total')) - (dialsBefore[host - 1] ?? 0);
    // At most one dial a second and peer, and a few under way at both ends of the time.
    if (dials > others(host).length * (seconds + 5)) throw new Error(`host ${host} dialled ${dials} times in vain`);
  }
  return most;
}

const flapping: Scenario = {
  id: 'N4',
  title: 'a link that comes and goes every second, then links lost and regained one after the other',
  arena: four,
  counts: { ci: 0, 'tier 1': 1, 'tier 2': 10 },
  faultMs: { 'tier 1': 60_000, 'tier 2': 60_000 },
  async run(arena, { faultMs, random }) {
    const { lab } = arena;
    const start = performance.now();
    const before = await Promise.all(HOSTS.map((host) => metric(arena, host - 1, 'p2p_dial_failures_total')));
    const victim = pick(HOSTS, random);
    while (performance.now() - start < faultMs) {
      lab.link(victim, 'down');
      await pause(1_000);
      lab.link(victim, 'up');
      await pause(1_000);
    }
    for (const host of shuffled(HOSTS, random)) {
      lab.link(host, 'down');
      await pause(500);
    }
    for (const host of shuffled(HOSTS, random)) {
      lab.link(host, 'up');
      await pause(500);
    }
    const { height } = arena.watch;
    const resumedMs = await nextBlock(arena, height, 20_000);
    const connections = await requireCalm(arena, before, (performance.now() - start) / 1_000);
    return { facts: { victim: `n${victim}`, resumedMs, connections } };
  },
};

function slowLinks(arena: ArenaPlan, title: string): Scenario {
  return {
    id: 'N5',
    title,
    arena,
    counts: { ci: 0, 'tier 1': 1, 'tier 2': 2 },
    async run(running, { faultMs }) {
      const [before, start] = [running.watch.height, performance.now()];
      await pause(faultMs);
      // However long the links take, blocks go on.
      await nextBlock(running, before + 2, 60_000);
      const blocks = running.watch.height - before;
      const longestGapMs = Math.round(running.watch.longestGap(start));
      return { facts: { blocks, longestGapMs, rate: Math.round(running.ledger.rate(faultMs)) } };
    },
  };
}

const narrow: Scenario = {
  id: 'N5',
  title: 'one node behind 1 Mbit/s',
  arena: four,
  counts: { ci: 0, 'tier 1': 1, 'tier 2': 2 },
  async run(arena, { faultMs, random }) {
    const host = pick(HOSTS, random);
    const before = arena.watch.height;
    arena.lab.limit(host, '1mbit');
    await pause(faultMs);
    arena.lab.limit(host, undefined);
    return { facts: { host: `n${host}`, blocks: arena.watch.height - before } };
  },
};

/** Faults of the network. */
export const partitions: readonly Scenario[] = [
  halves,
  leaderAlone,
  odd,
  flapping,
  narrow,
  slowLinks(farApart(50, 10, 0.05), '50±10 ms and 5 % of packets lost between any two'),
  slowLinks(farApart(200, 50, 0), '200±50 ms between any two'),
];
