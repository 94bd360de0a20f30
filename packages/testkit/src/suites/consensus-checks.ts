import { expect } from 'chai';
import { Block, sameBytes, toHex } from '@it-chain/contracts';
import type { ConsensusCluster } from '../doubles/consensus-cluster.js';

/** The texts that a node has committed, in order. */
export function textsOf(cluster: ConsensusCluster, index: number): string[] {
  return cluster
    .node(index)
    .chain.blocks.flatMap(({ block }) => Block.decode(block).transactions)
    .map((one) => Buffer.from(one).toString());
}

/** Brings everybody back and waits until every text is committed by all of these, or by everybody, exactly once. */
export async function settled(
  cluster: ConsensusCluster,
  patienceMs: number,
  texts: readonly string[],
  all: readonly number[] = [...cluster.nodes.keys()],
): Promise<boolean> {
  cluster.cut.clear();
  for (const [index, node] of cluster.nodes.entries()) if (node.running === undefined) await cluster.start(index);
  const done = (): boolean => all.every((index) => texts.every((text) => textsOf(cluster, index).includes(text)));
  const arrived = await cluster.until(done, patienceMs);
  for (const index of all) {
    const committed = textsOf(cluster, index);
    expect(committed, 'a transaction was committed twice').to.have.length(new Set(committed).size);
  }
  return arrived;
}

/** No two nodes, or no two of these, have different blocks at one height. */
export function agree(
  cluster: ConsensusCluster,
  when: string,
  of: readonly number[] = [...cluster.nodes.keys()],
): void {
  const nodes = of.map((index) => cluster.node(index));
  const heights = Math.max(...nodes.map(({ chain }) => chain.tip.height));
  for (let height = 1; height <= heights; height += 1) {
    const digests = nodes.flatMap(({ chain }) => chain.tips[height]?.digest ?? []).map(toHex);
    expect(new Set(digests).size, `${when}: different blocks at height ${height}`).to.equal(1);
  }
}

/** The leader and the nodes behind it, as many as asked for. */
export async function leaders(cluster: ConsensusCluster, wanted: number): Promise<number[]> {
  const { leader } = await cluster.status(0);
  const at = Math.max(
    0,
    cluster.nodes.findIndex(({ context }) => sameBytes(context.identity.publicKey, leader)),
  );
  return Array.from({ length: wanted }, (_, index) => (at + index) % cluster.nodes.length);
}

/** A generator of numbers from 0 to 1 (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
