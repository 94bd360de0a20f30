import { setMaxListeners } from 'node:events';
import type { Client } from '@it-chain/client';
import { Block, toHex, transactionId } from '@it-chain/contracts';
import type { Ledger } from './ledger.js';

/** A validator that a node has caught at signing two things. */
export interface SeenEvidence {
  readonly node: number;
  readonly publicKey: string;
  readonly height: number;
  readonly type: string;
}

/** Follows the blocks and the evidence of every node all the time, as clients do; begins again wherever it is cut off. */
export class Watch {
  readonly evidence: SeenEvidence[] = [];
  /** Two different blocks of one height were shown. */
  readonly forks: string[] = [];
  /** When each height was first shown by some node, in ms of the monotonic clock. */
  readonly firstSeen = new Map<number, number>();
  readonly #digests = new Map<number, string>();
  readonly #heights: number[];
  readonly #stop = new AbortController();
  readonly #network: Uint8Array;
  readonly #ledger: Ledger;
  readonly #loops: Promise<void>[] = [];

  constructor(options: { readonly network: Uint8Array }, dependencies: { clients: readonly Client[]; ledger: Ledger }) {
    // One listener for each stream.
    setMaxListeners(0, this.#stop.signal);
    this.#network = options.network;
    this.#ledger = dependencies.ledger;
    this.#heights = dependencies.clients.map(() => 0);
    dependencies.clients.forEach((client, index) => {
      this.#loops.push(this.#again(() => this.#blocks(client, index)));
      this.#loops.push(this.#again(() => this.#evidence(client, index)));
    });
  }

  /** The highest block that any node has shown. */
  get height(): number {
    return Math.max(0, ...this.#heights);
  }
  /** The highest block that a node has shown; nodes are numbered from 0. */
  heightOf(index: number): number {
    return this.#heights[index] ?? 0;
  }
  /** The longest time between two heights after `since`, and from the last one to now. In ms. */
  longestGap(since: number): number {
    const times = [since, ...[...this.firstSeen.values()].filter((at) => at >= since), performance.now()];
    return Math.max(...times.slice(1).map((at, index) => at - (times[index] ?? at)));
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#loops);
  }

  async #again(run: () => Promise<void>): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await run();
      } catch {
        // The node is away: that is what these tests are about. What is shown after it is back counts.
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  async #blocks(client: Client, index: number): Promise<void> {
    const from = this.heightOf(index) + 1;
    for await (const { height, certified, digest } of client.followBlocks(from, { signal: this.#stop.signal })) {
      const name = toHex(digest);
      const known = this.#digests.get(height);
      if (known === undefined) {
        this.#digests.set(height, name);
        this.firstSeen.set(height, performance.now());
        for (const encoded of Block.decode(certified.block).transactions) {
          this.#ledger.seen(toHex(transactionId(encoded, this.#network)));
        }
      } else if (known !== name) this.forks.push(`height ${height}: ${known} and ${name} on node ${index + 1}`);
      this.#heights[index] = height;
    }
  }

  async #evidence(client: Client, index: number): Promise<void> {
    for await (const { json } of client.followEvents(['consensus.evidence'], { signal: this.#stop.signal })) {
      const read = JSON.parse(json) as { publicKey: string; height: number; type: string };
      this.evidence.push({ node: index + 1, publicKey: read.publicKey, height: read.height, type: read.type });
    }
  }
}
