import {
  PoolEntries,
  TransactionBatch,
  failure,
  isItChainError,
  messageOf,
  type Log,
  type PeerAsked,
  type PoolEntry,
  type Transport,
} from '@it-chain/contracts';

/** Batches of one peer that are worked on at once; an honest one sends the next after the answer. */
const AT_ONCE = 2;
/** Largest batch that is read; twice what any node may be told to send. */
const MAX_BYTES = 2 * 1024 * 1024;
const MAX_COUNT = 2_000;

interface Sender {
  atOnce: number;
  strikes: number;
}

/** Takes in what peers pass on, and tells them what came of each. */
export class PeerInbox {
  readonly #maxStrikes: number;
  readonly #transport: Transport;
  readonly #accept: (transactions: readonly Uint8Array[], from: string) => Promise<{ entries: readonly PoolEntry[] }>;
  readonly #log: Log;
  readonly #senders = new Map<string, Sender>();

  constructor(
    options: { readonly maxStrikes: number },
    dependencies: {
      readonly transport: Transport;
      readonly accept: (
        transactions: readonly Uint8Array[],
        from: string,
      ) => Promise<{ entries: readonly PoolEntry[] }>;
      readonly log: Log;
    },
  ) {
    this.#maxStrikes = options.maxStrikes;
    this.#transport = dependencies.transport;
    this.#accept = dependencies.accept;
    this.#log = dependencies.log;
  }

  /** Answers one request of the kind `transactions`. Never throws. */
  async answer(asked: PeerAsked): Promise<void> {
    const { from, requestId } = asked;
    const sender = this.#sender(from);
    sender.atOnce += 1;
    try {
      const entries = await this.#take(asked, sender);
      const body = PoolEntries.encode({ entries });
      await this.#transport.answer({ requestId, body, errorCode: '', errorMessage: '' });
      await this.#judge(from, sender, entries);
    } catch (error) {
      this.#log.debug('transactions of a peer were not taken', { peer: from, reason: messageOf(error) });
      await this.#refuse(requestId, error);
    } finally {
      sender.atOnce -= 1;
    }
  }

  /** A session is gone: its record is forgotten. */
  disconnect(nodeId: string): void {
    this.#senders.delete(nodeId);
  }

  async #take({ from, body }: PeerAsked, sender: Sender): Promise<readonly PoolEntry[]> {
    if (sender.atOnce > AT_ONCE) {
      throw failure('ERR_PEER_BUSY', `${AT_ONCE} batches of this peer are under way`, { retryable: true });
    }
    if (body.length > MAX_BYTES) throw failure('ERR_DATA_MALFORMED', `a batch of ${body.length} bytes`);
    const { transactions } = TransactionBatch.decode(body);
    if (transactions.length > MAX_COUNT) throw failure('ERR_DATA_MALFORMED', `a batch of ${transactions.length}`);
    return (await this.#accept(transactions, from)).entries;
  }

  /** An honest node has checked form and signature before it passes anything on. */
  async #judge(from: string, sender: Sender, entries: readonly PoolEntry[]): Promise<void> {
    for (const { code } of entries) if (code === 'ERR_TX_SIGNATURE' || code === 'ERR_TX_MALFORMED') sender.strikes += 1;
    if (sender.strikes <= this.#maxStrikes) return;
    sender.strikes = 0;
    this.#log.warn('a peer passes invalid transactions on; its session is ended', { peer: from });
    const reason = `more than ${this.#maxStrikes} invalid transactions`;
    await this.#transport.disconnect({ nodeId: from, code: 'ERR_TX_SIGNATURE', reason });
  }

  async #refuse(requestId: string, error: unknown): Promise<void> {
    const errorCode = isItChainError(error) ? error.code : 'ERR_INTERNAL';
    const errorMessage = isItChainError(error) ? error.message.slice(0, 1_024) : '';
    try {
      await this.#transport.answer({ requestId, body: new Uint8Array(0), errorCode, errorMessage });
    } catch (failed) {
      this.#log.debug('a refusal could not be sent', { requestId, reason: messageOf(failed) });
    }
  }

  #sender(nodeId: string): Sender {
    let sender = this.#senders.get(nodeId);
    if (sender === undefined) {
      sender = { atOnce: 0, strikes: 0 };
      this.#senders.set(nodeId, sender);
    }
    return sender;
  }
}
