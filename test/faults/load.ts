import { randomBytes } from 'node:crypto';
import type { Client } from '@it-chain/client';
import {
  KvOperation,
  decodeTransaction,
  keyPairFromSeed,
  signTransaction,
  toHex,
  utf8,
  type KeyPair,
} from '@it-chain/contracts';
import type { Ledger } from './ledger.js';

const TICK_MS = 500;
/** Calls of one client that may be open; ticks beyond are left out, so a node that hangs bounds the memory here. */
const MAX_OPEN = 8;

/** How much is sent. */
export interface LoadOptions {
  /** Transactions a second, over all clients. */
  readonly rate: number;
  /** Digest of the genesis. */
  readonly network: Uint8Array;
  /** The last height at which they may be committed. */
  readonly expiresAt: number;
}

/** Sends transactions to every node at once, each client a share of the rate, and writes all answers into the ledger. */
export class Load {
  readonly #options: LoadOptions;
  readonly #with: { readonly clients: readonly Client[]; readonly ledger: Ledger };
  readonly #keys: KeyPair;
  #timers: NodeJS.Timeout[] = [];
  readonly #open = new Set<Promise<void>>();
  #next = 0;

  constructor(options: LoadOptions, dependencies: { readonly clients: readonly Client[]; readonly ledger: Ledger }) {
    this.#options = options;
    this.#with = dependencies;
    this.#keys = keyPairFromSeed(randomBytes(32));
  }

  start(): void {
    if (this.#timers.length > 0) return;
    const { clients } = this.#with;
    const each = Math.max(1, Math.round((this.#options.rate / clients.length) * (TICK_MS / 1_000)));
    this.#timers = clients.map((client) => {
      let open = 0;
      return setInterval(() => {
        if (open >= MAX_OPEN) return;
        open += 1;
        const work = this.#send(client, each).finally(() => {
          open -= 1;
          this.#open.delete(work);
        });
        this.#open.add(work);
      }, TICK_MS);
    });
  }

  /** Sends no more and waits for the answers under way. */
  async stop(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await Promise.all(this.#open);
  }

  /** One transaction, written down like the others. */
  transaction(keys: KeyPair = this.#keys): { readonly id: string; readonly encoded: Uint8Array } {
    const index = (this.#next += 1);
    const key = utf8(`key-${index % 1_000}`);
    const { network, expiresAt } = this.#options;
    const encoded = signTransaction(
      {
        network,
        nonce: randomBytes(8),
        expiresAt,
        application: KvOperation.encode({ put: { key, value: utf8(`value-${index}`) } }),
      },
      keys,
    );
    return { id: toHex(decodeTransaction(encoded).id), encoded };
  }

  /** Sends `count` transactions in one batch. Never throws: what goes wrong is in the ledger. */
  async #send(client: Client, count: number): Promise<void> {
    const batch = Array.from({ length: count }, () => this.transaction());
    const ids = batch.map(({ id }) => id);
    const { ledger } = this.#with;
    ledger.sent(ids);
    try {
      ledger.answered(
        ids,
        await client.submit(
          batch.map(({ encoded }) => encoded),
          { timeoutMs: 15_000 },
        ),
      );
    } catch (error) {
      ledger.failed(ids, error);
    }
  }
}
