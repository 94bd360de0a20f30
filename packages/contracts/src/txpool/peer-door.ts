import { TransactionBatch } from '../data/transaction.js';
import { failure } from '../errors/fail.js';
import { isItChainError, messageOf } from '../errors/it-chain-error.js';
import type { Log } from '../plugin/log.js';
import { PEER_KINDS, type PeerAsked, type Transport } from '../roles/transport.js';
import { PoolEntries, type PoolEntry } from '../roles/txpool.js';

/** Batches of one peer that are worked on at once; an honest one sends the next after the answer. */
const AT_ONCE = 2;
const MAX_COUNT = 2_000;
const MAX_BYTES = 2 * 1024 * 1024;

/** What the door works with. */
export interface PeerDoorDependencies {
  readonly transport: Transport;
  readonly log: Log;
  readonly accept: (
    transactions: readonly Uint8Array[],
    from: string,
  ) => Promise<{ readonly entries: readonly PoolEntry[] }>;
}

/** Takes in what peers pass on, and tells them what came of each. No byte of theirs makes it throw. */
export class PeerDoor {
  readonly #with: PeerDoorDependencies;
  readonly #open = new Map<string, number>();

  constructor(dependencies: PeerDoorDependencies) {
    this.#with = dependencies;
  }

  async answer({ from, requestId, kind, body }: PeerAsked): Promise<void> {
    if (kind !== PEER_KINDS.transactions) return;
    const open = this.#open.get(from) ?? 0;
    this.#open.set(from, open + 1);
    try {
      if (open >= AT_ONCE) throw failure('ERR_PEER_BUSY', `${AT_ONCE} batches of this peer are under way`);
      const answer = PoolEntries.encode({ entries: await this.#take(body, from) });
      await this.#with.transport.answer({ requestId, body: answer, errorCode: '', errorMessage: '' });
    } catch (error) {
      await this.#refuse(requestId, error);
    } finally {
      const left = (this.#open.get(from) ?? 1) - 1;
      if (left === 0) this.#open.delete(from);
      else this.#open.set(from, left);
    }
  }

  async #take(body: Uint8Array, from: string): Promise<readonly PoolEntry[]> {
    if (body.length > MAX_BYTES) throw failure('ERR_DATA_MALFORMED', `a batch of ${body.length} bytes`);
    const { transactions } = TransactionBatch.decode(body);
    if (transactions.length > MAX_COUNT) throw failure('ERR_DATA_MALFORMED', `a batch of ${transactions.length}`);
    return (await this.#with.accept(transactions, from)).entries;
  }

  async #refuse(requestId: string, error: unknown): Promise<void> {
    const { code, message } = isItChainError(error) ? error : { code: 'ERR_INTERNAL', message: '' };
    const refusal = { requestId, body: new Uint8Array(0), errorCode: code, errorMessage: message.slice(0, 1_024) };
    await this.#with.transport.answer(refusal).catch((failed: unknown) => {
      this.#with.log.debug('a refusal could not be sent', { requestId, reason: messageOf(failed) });
    });
  }
}
