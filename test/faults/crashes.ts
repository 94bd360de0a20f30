import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '@it-chain/contracts';
import { until } from '../support/until.js';
import { pause, type Arena } from './arena.js';
import { caughtUp, nextBlock } from './measures.js';
import { four, fourOnBroker } from './plans.js';
import { pick, type Scenario } from './scenario.js';

/** Starts a node again, in the background of what else happens. */
async function restart(arena: Arena, index: number): Promise<number> {
  const start = performance.now();
  await arena.nodes[index]?.start();
  return Math.round(performance.now() - start);
}

const killOne: Scenario = {
  id: 'CR1',
  title: 'kill -9 of a random node',
  arena: four,
  counts: { ci: 1, 'tier 1': 5, 'tier 2': 50 },
  async run(arena, { random }) {
    const victim = pick([0, 1, 2, 3], random);
    const wasLeader = (await arena.leader()) === victim;
    // At any moment of a round.
    await pause(random() * 1_000);
    const killed = performance.now();
    await arena.nodes[victim]?.kill();
    const failoverMs = await nextBlock(arena, arena.watch.height + 1, 20_000);
    const readyMs = await restart(arena, victim);
    const backMs = readyMs + (await caughtUp(arena, victim, 10_000));
    const longestGapMs = Math.round(arena.watch.longestGap(killed));
    return { facts: { victim: `n${victim + 1}`, wasLeader: String(wasLeader), failoverMs, backMs, longestGapMs } };
  },
};

const killAll: Scenario = {
  id: 'CR3',
  title: 'kill -9 of all nodes at once',
  arena: four,
  counts: { ci: 1, 'tier 1': 2, 'tier 2': 20 },
  async run(arena, { random }) {
    await pause(random() * 1_000);
    await Promise.all(arena.nodes.map((node) => node.kill()));
    const { height } = arena.watch;
    const start = performance.now();
    await Promise.all(arena.nodes.map((_node, index) => restart(arena, index)));
    const readyMs = Math.round(performance.now() - start);
    return { facts: { readyMs, resumedMs: await nextBlock(arena, height, 20_000) } };
  },
};

const powerCut: Scenario = {
  id: 'CR8',
  title: 'the power fails, of all nodes at once or of one: only what has reached their disks is left',
  arena: four,
  needs: ['disk'],
  counts: { ci: 1, 'tier 1': 1, 'tier 2': 20 },
  async run(arena, { random, repetition }) {
    const victims = repetition % 2 === 0 ? [0, 1, 2, 3] : [pick([0, 1, 2, 3], random)];
    await pause(random() * 1_000);
    // Nobody is told anything any more from here on; then what is on the devices is taken.
    for (const index of victims) arena.nodes[index]?.signal('SIGSTOP');
    for (const index of victims) arena.disk(index).cut();
    await Promise.all(victims.map((index) => arena.node(index).kill()));
    for (const index of victims) arena.disk(index).restore();
    const { height } = arena.watch;
    const start = performance.now();
    await Promise.all(victims.map((index) => restart(arena, index)));
    const readyMs = Math.round(performance.now() - start);
    const resumedMs = await nextBlock(arena, height + 1, 20_000);
    return { facts: { nodes: victims.length, readyMs, resumedMs } };
  },
};

const frozen: Scenario = {
  id: 'CR7',
  title: 'a node is stopped for a while and goes on: what it then answers is not passed off as fresh',
  arena: four,
  counts: { ci: 1, 'tier 1': 2, 'tier 2': 20 },
  faultMs: { ci: 10_000 },
  async run(arena, { faultMs, random, repetition }) {
    const victim = repetition % 2 === 0 ? await arena.leader() : pick([0, 1, 2, 3], random);
    const node = arena.nodes[victim];
    const client = arena.client(victim);
    node?.signal('SIGSTOP');
    const failoverMs = await nextBlock(arena, arena.watch.height + 1, 20_000);
    await pause(Math.max(0, faultMs - failoverMs));
    node?.signal('SIGCONT');
    const reads: { height: number; root: string }[] = [];
    for (let read = 0; read < 20; read += 1) {
      // Its proof is checked against the root that it names; that the root is the one of that height is checked below.
      const { height, stateRoot } = await until(
        'an answer of the node that was stopped',
        () => client.kv.get('key-1', { prove: true }),
        20_000,
      );
      reads.push({ height, root: toHex(stateRoot) });
    }
    const caughtUpMs = await caughtUp(arena, victim, 20_000);
    return {
      facts: { victim: `n${victim + 1}`, failoverMs, caughtUpMs },
      afterwards: () => {
        for (const { height, root } of reads) {
          const certified = arena.audit.roots.get(height);
          if (certified !== undefined && certified !== root) {
            throw new Error(`n${victim + 1} read ${root} at height ${height}, where ${certified} is certified`);
          }
        }
      },
    };
  },
};

const broker: Scenario = {
  id: 'G1',
  title: 'the AMQP broker of all nodes is restarted, politely and by kill -9',
  arena: fourOnBroker,
  counts: { ci: 1, 'tier 1': 2, 'tier 2': 20 },
  async run(arena, { broker: rabbit, random }) {
    if (rabbit === undefined) throw new Error('this arena has no broker');
    const times: number[] = [];
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      await pause(random() * 1_000);
      await rabbit.stop(signal);
      await rabbit.start();
      const { height } = arena.watch;
      times.push(await nextBlock(arena, height, 20_000));
      for (const node of arena.nodes) if (!node.running) throw new Error(`${node.name} ended with its broker`);
    }
    const [politeMs = 0, killedMs = 0] = times;
    return { facts: { politeMs, killedMs } };
  },
};

const LIBRARY = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketimeMT.so.1`;
const JUMPS = ['+1', '-1', '+60', '-60', '+3600', '-3600', '+2592000', '-2592000'] as const;
const DRIFTS = ['+0 x0.5', '+0 x1.5'] as const;

const clocks: Scenario = {
  id: 'CR15',
  title: 'the wall clock jumps or drifts, on one node and on all',
  arena: four,
  needs: ['clock'],
  counts: { ci: 0, 'tier 1': 4, 'tier 2': 28 },
  async run(arena, { faultMs, repetition, random }) {
    const everybody = repetition % 2 === 1;
    const offsets = [...JUMPS, ...DRIFTS];
    const offset = offsets[(Math.floor(repetition / 2) * 3 + 5) % offsets.length] ?? '+3600';
    const victims = everybody ? [0, 1, 2, 3] : [pick([0, 1, 2, 3], random)];
    for (const index of victims) await withClock(arena, index, '+0');
    await arena.warmUp(3_000);
    for (const index of victims) setClock(arena, index, offset);
    const { height } = arena.watch;
    const resumedMs = await nextBlock(arena, height + 1, 20_000);
    await pause(faultMs);
    const blocks = arena.watch.height - height;
    // Back to the true time, so that the next repetition begins where this one did.
    for (const index of victims) setClock(arena, index, '+0');
    const backMs = await nextBlock(arena, arena.watch.height + 1, 20_000);
    for (const index of victims) await withClock(arena, index, undefined);
    return { facts: { offset, nodes: victims.length, resumedMs, blocks, backMs } };
  },
};

/** Restarts a node under a clock that can be set while it runs; undefined: under the true one. */
async function withClock(arena: Arena, index: number, offset: string | undefined): Promise<void> {
  const node = arena.nodes[index];
  if (node === undefined) return;
  await node.stop();
  if (offset === undefined) node.env = {};
  else {
    setClock(arena, index, offset);
    node.env = {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: clockFile(arena, index),
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }
  await node.start();
  await caughtUp(arena, index, 20_000);
}

const clockFile = (arena: Arena, index: number): string =>
  join(arena.nodes[index]?.dataDir ?? '', '..', `clock-${index}`);

function setClock(arena: Arena, index: number, offset: string): void {
  writeFileSync(clockFile(arena, index), `${offset}\n`);
}

/** Faults of processes, and of their clocks. */
export const crashes: readonly Scenario[] = [killOne, killAll, powerCut, frozen, clocks, broker];
