import { CoreNetwork } from './core-network.js';
import type { ConsensusMachine } from './machine.js';

/** Finality and cost of blocks over links of one latency. */
export interface WideAreaReport {
  readonly nodes: number;
  /** One-way latency of every link, in ms. */
  readonly linkMs: number;
  readonly blocks: number;
  /** From the submission at the leader to the commit there, median, in simulated ms. */
  readonly leaderMs: number;
  /** To the commit at the last validator, median. */
  readonly allMs: number;
  readonly messagesPerBlock: number;
  readonly bytesPerBlock: number;
}

/**
 * Runs `blocks` transactions, one after the other, over links of `linkMs` with 10 % jitter; nobody is faulty. A transaction takes two
 * heights: its block, and the empty one that certifies its root; messages and bytes are counted per height.
 */
export function runWideArea<State>(
  machine: ConsensusMachine<State>,
  { nodes, linkMs, blocks, seed = 1 }: { nodes: number; linkMs: number; blocks: number; seed?: number },
): WideAreaReport {
  const network = new CoreNetwork(machine, {
    seed,
    identities: Array.from({ length: nodes }, (_, index) => index),
    // Rebroadcast and T0 as the documentation advises for wide areas.
    machine: { baseTimeoutMs: 2_000, maxTimeoutMs: 30_000, rebroadcastMs: 1_000, maxPeers: 1_000 },
  });
  network.countBytes = true;
  network.links.base = () => linkMs;
  network.links.faults = { loss: 0, duplication: 0, minDelayMs: 0, maxDelayMs: linkMs / 10, tail: 0 };
  network.startAll();
  network.run(2_000);
  const leaderTimes: number[] = [];
  const allTimes: number[] = [];
  const heightBefore = network.node(0).tip.height;
  const [messages, bytes] = [network.messages, network.bytes];
  for (let block = 0; block < blocks; block += 1) {
    const begun = network.now;
    network.submit(`tx-${block}`);
    network.run(60_000, () => !network.node(0).pool.has(`tx-${block}`));
    leaderTimes.push(network.now - begun);
    network.run(60_000, () => network.nodes.every(({ pool }) => pool.size === 0));
    allTimes.push(network.now - begun);
    // The empty block that certifies the root comes behind it.
    network.run(60_000, () => network.nodes.every(({ tip }) => tip.rootCertified));
  }
  const heights = network.node(0).tip.height - heightBefore;
  return {
    nodes,
    linkMs,
    blocks: heights,
    leaderMs: median(leaderTimes),
    allMs: median(allTimes),
    messagesPerBlock: (network.messages - messages) / heights,
    bytesPerBlock: (network.bytes - bytes) / heights,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
