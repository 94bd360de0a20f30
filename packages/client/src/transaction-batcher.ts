import type { TransactionStatus } from '@it-chain/contracts';

/** When a batch is sent: full, or this old. */
export interface BatcherOptions {
  /** Default 100. */
  readonly maxBatch?: number | undefined;
  /** Default 5 ms. */
  readonly maxDelayMs?: number | undefined;
  /** Transactions that wait or are on their way; `add` waits beyond. Default 10,000. */
  readonly maxPending?: number | undefined;
}

interface Waiting {
  readonly encoded: Uint8Array;
  readonly resolve: (status: TransactionStatus) => void;
  readonly reject: (error: unknown) => void;
}

/** Gathers transactions that are sent one by one into batches: a batch costs the node hardly more than one of them. */
export class TransactionBatcher {
  readonly #maxBatch: number;
  readonly #maxDelayMs: number;
  readonly #maxPending: number;
  readonly #submit: (transactions: readonly Uint8Array[]) => Promise<readonly TransactionStatus[]>;
  #waiting: Waiting[] = [];
  #pending = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #room: (() => void)[] = [];

  constructor(
    options: BatcherOptions,
    dependencies: { readonly submit: (transactions: readonly Uint8Array[]) => Promise<readonly TransactionStatus[]> },
  ) {
    this.#maxBatch = options.maxBatch ?? 100;
    this.#maxDelayMs = options.maxDelayMs ?? 5;
    this.#maxPending = options.maxPending ?? 10_000;
    this.#submit = dependencies.submit;
  }

  /** Sends a canonical encoded transaction with the next batch. Resolves with what the node said of it. */
  async add(encoded: Uint8Array): Promise<TransactionStatus> {
    while (this.#pending >= this.#maxPending) {
      await new Promise<void>((resolve) => this.#room.push(resolve));
    }
    this.#pending += 1;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ encoded, resolve, reject });
      if (this.#waiting.length >= this.#maxBatch) this.flush();
      else this.#timer ??= setTimeout(() => this.flush(), this.#maxDelayMs);
    });
  }

  /** Sends what waits, now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#waiting;
    if (batch.length === 0) return;
    this.#waiting = [];
    this.#submit(batch.map(({ encoded }) => encoded))
      .then(
        (results) => {
          batch.forEach((one, index) => {
            const result = results[index];
            if (result === undefined)
              one.reject(new Error(`the node answered ${results.length} of ${batch.length} transactions`));
            else one.resolve(result);
          });
        },
        (error: unknown) => {
          for (const one of batch) one.reject(error);
        },
      )
      .finally(() => {
        this.#pending -= batch.length;
        for (const resolve of this.#room.splice(0)) resolve();
      });
  }
}
