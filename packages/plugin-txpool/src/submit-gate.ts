import type { PoolEntry } from '@it-chain/contracts';

/** Transactions that share one admission, as far as they are of several submits. */
const MAX_SHARED = 1_000;

interface Waiting {
  readonly transactions: readonly Uint8Array[];
  readonly resolve: (entries: readonly PoolEntry[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Admits a batch; one entry per transaction, in order. */
export type Admit = (transactions: readonly Uint8Array[], from: string) => Promise<readonly PoolEntry[]>;

/**
 * Lets submits share their way into the pool: what comes from one sender while its last submit is under way waits for it
 * and then goes in together, so that under load the store, the verifier and the application are asked once for many.
 * Alone, a submit waits for nothing; senders do not wait for each other. How many may wait is bounded by who hands them
 * in: the bus bounds the requests in hand, the inbox those of a peer.
 */
export class SubmitGate {
  readonly #admit: Admit;
  /** By sender, while an admission of it is under way: what waits for it. */
  readonly #lanes = new Map<string, Waiting[]>();

  constructor(dependencies: { readonly admit: Admit }) {
    this.#admit = dependencies.admit;
  }

  /** `from`: node id of a peer, or empty for the clients of this node. Rejects where the admission does. */
  submit(transactions: readonly Uint8Array[], from: string): Promise<readonly PoolEntry[]> {
    return new Promise((resolve, reject) => {
      const submit: Waiting = { transactions, resolve, reject };
      const lane = this.#lanes.get(from);
      if (lane === undefined) void this.#run([submit], from);
      else lane.push(submit);
    });
  }

  async #run(lane: Waiting[], from: string): Promise<void> {
    this.#lanes.set(from, lane);
    while (lane.length > 0) {
      const group = lane.splice(0, sharing(lane));
      try {
        const entries = await this.#admit(
          group.flatMap(({ transactions }) => transactions),
          from,
        );
        let at = 0;
        for (const { transactions, resolve } of group) resolve(entries.slice(at, (at += transactions.length)));
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#lanes.delete(from);
  }
}

/** How many of those that wait go in together: at least one, and as many as fit. */
function sharing(lane: readonly Waiting[]): number {
  let transactions = 0;
  const over = lane.findIndex((waiting) => (transactions += waiting.transactions.length) > MAX_SHARED);
  return over < 0 ? lane.length : Math.max(1, over);
}
