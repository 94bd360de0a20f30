import {
  sameBytes,
  transactionId,
  transactionSigningBytes,
  type Application,
  type DecodedTransaction,
  type PoolEntry,
  type SignatureCheck,
} from '@it-chain/contracts';
import type { NetworkFacts } from './network-view.js';
import { keyOf } from './pending-set.js';
import type { PoolStore } from './pool-store.js';
import type { Room } from './room.js';
import { rejected, screen } from './screen.js';

/** What admission needs of the pool and the node. */
export interface AdmissionDependencies {
  readonly store: PoolStore;
  readonly room: Room;
  readonly application: Application;
  readonly verify: (checks: readonly SignatureCheck[]) => Promise<boolean[]>;
  /** What is known of an id here: pending, committed a moment ago, or rejected for ever. */
  readonly known: (key: string) => PoolEntry | undefined;
  /** Puts verified transactions on disk and into the pool. Their room is reserved. */
  readonly accept: (transactions: readonly DecodedTransaction[], from: string) => Promise<void>;
  /** What is said of one that was just accepted. */
  readonly describe: (id: Uint8Array) => PoolEntry;
}

/** One transaction on its way in: the same id may come from a client and from peers at the same time. */
interface OnItsWay {
  readonly encoded: Uint8Array;
  readonly outcome: Promise<PoolEntry>;
  settle(entry: PoolEntry): void;
  fail(error: unknown): void;
}

interface Candidate {
  readonly transaction: DecodedTransaction;
  readonly key: string;
  readonly way: OnItsWay;
}

/**
 * The way into the pool. Checks in the order of their price, and the signature once per node: what is on its way is
 * waited for, what is known is answered. Everything is done for the whole batch at once.
 */
export class Admission {
  readonly #dependencies: AdmissionDependencies;
  readonly #onTheirWay = new Map<string, OnItsWay>();

  constructor(dependencies: AdmissionDependencies) {
    this.#dependencies = dependencies;
  }

  /** One entry per transaction, in order. Rejects as a whole only where the store, the application or the verifier is away. */
  async submit(
    transactions: readonly Uint8Array[],
    facts: NetworkFacts,
    height: number,
    from: string,
  ): Promise<PoolEntry[]> {
    const candidates: Candidate[] = [];
    const entries = transactions.map((encoded) => this.#begin(encoded, facts, height, candidates));
    try {
      await this.#admit(candidates, facts, from);
    } catch (error) {
      for (const { way } of candidates) way.fail(error);
    } finally {
      for (const { key } of candidates) this.#onTheirWay.delete(key);
    }
    const answers: PoolEntry[] = [];
    // Settled all of them before the first await could throw, so none is left to reject unheard.
    const settled = await Promise.allSettled(
      entries.map(async (entry) => (typeof entry === 'function' ? entry() : entry)),
    );
    for (const [index, one] of settled.entries()) {
      if (one.status === 'rejected') throw one.reason;
      const encoded = transactions[index];
      if (one.value !== 'again') answers.push(one.value);
      else if (encoded !== undefined) answers.push(...(await this.submit([encoded], facts, height, from)));
    }
    return answers;
  }

  /** The entry where it is known at once; else a promise of it. `again`: another signature of the same id came before and failed. */
  #begin(
    encoded: Uint8Array,
    facts: NetworkFacts,
    height: number,
    candidates: Candidate[],
  ): PoolEntry | Promise<PoolEntry> | (() => Promise<PoolEntry | 'again'>) {
    if (encoded.length <= facts.maxTransactionBytes) {
      const key = keyOf(transactionId(encoded, facts.network));
      const known = this.#dependencies.known(key);
      if (known !== undefined) return known;
      const way = this.#onTheirWay.get(key);
      if (way !== undefined) {
        return async () => {
          const entry = await way.outcome;
          return entry.code === 'ERR_TX_SIGNATURE' && !sameBytes(way.encoded, encoded) ? 'again' : entry;
        };
      }
    }
    const screened = screen(encoded, facts, height);
    if (!('value' in screened)) return screened;
    const key = keyOf(screened.id);
    const way = onItsWay(encoded);
    this.#onTheirWay.set(key, way);
    candidates.push({ transaction: screened, key, way });
    return way.outcome;
  }

  async #admit(candidates: readonly Candidate[], facts: NetworkFacts, from: string): Promise<void> {
    if (candidates.length === 0) return;
    const fresh = await this.#withoutCommitted(candidates);
    const placed = this.#withRoom(fresh);
    let accepted = 0;
    let left: Candidate[] = placed;
    try {
      left = await this.#withSignature(placed, facts.network);
      left = await this.#withApplication(left);
      await this.#dependencies.accept(
        left.map(({ transaction }) => transaction),
        from,
      );
      accepted = left.length;
    } finally {
      const kept = new Set(accepted > 0 ? left : []);
      for (const candidate of placed) if (!kept.has(candidate)) this.#release(candidate);
    }
    for (const { transaction, way } of left) way.settle(this.#dependencies.describe(transaction.id));
  }

  async #withoutCommitted(candidates: readonly Candidate[]): Promise<Candidate[]> {
    const committed = await this.#dependencies.store.committed(candidates.map(({ transaction }) => transaction.id));
    return candidates.filter(({ transaction, way }, index) => {
      if (committed[index] !== true) return true;
      way.settle({ id: transaction.id, state: 'committed', code: '', reason: '' });
      return false;
    });
  }

  #withRoom(candidates: readonly Candidate[]): Candidate[] {
    const { room } = this.#dependencies;
    return candidates.filter(({ transaction: { id, value, encoded }, way }) => {
      const code = room.reserve(keyOf(value.sender), encoded.length);
      if (code === undefined) return true;
      const { maxCount, maxBytes, maxPerSender } = room.limits;
      const reason =
        code === 'ERR_TXPOOL_FULL'
          ? `the pool holds ${room.count} of ${maxCount} transactions and ${room.bytes} of ${maxBytes} bytes; send it again later`
          : `${maxPerSender} transactions of this sender wait already; send it again later`;
      way.settle(rejected(id, code, reason));
      return false;
    });
  }

  async #withSignature(candidates: readonly Candidate[], network: Uint8Array): Promise<Candidate[]> {
    const verdicts = await this.#dependencies.verify(
      candidates.map(({ transaction: { encoded, value } }) => ({
        publicKey: value.sender,
        message: transactionSigningBytes(encoded, network),
        signature: value.signature,
      })),
    );
    return candidates.filter(({ transaction, way }, index) => {
      if (verdicts[index] === true) return true;
      way.settle(rejected(transaction.id, 'ERR_TX_SIGNATURE', 'the signature is not valid'));
      return false;
    });
  }

  async #withApplication(candidates: readonly Candidate[]): Promise<Candidate[]> {
    const asked = candidates.filter(({ transaction }) => transaction.value.application !== undefined);
    if (asked.length === 0) return [...candidates];
    const { verdicts } = await this.#dependencies.application.check({
      transactions: asked.map(({ transaction: { id, value } }) => ({
        id,
        sender: value.sender,
        payload: value.application ?? new Uint8Array(0),
      })),
    });
    const refused = new Set<Candidate>();
    for (const [index, candidate] of asked.entries()) {
      const verdict = verdicts[index];
      if (verdict?.ok === true) continue;
      refused.add(candidate);
      const reason =
        verdict === undefined ? 'the application does not answer for it' : `${verdict.code}: ${verdict.reason}`;
      candidate.way.settle(rejected(candidate.transaction.id, 'ERR_TX_REFUSED', reason));
    }
    return candidates.filter((candidate) => !refused.has(candidate));
  }

  #release({ transaction: { value, encoded } }: Candidate): void {
    this.#dependencies.room.release(keyOf(value.sender), encoded.length);
  }
}

function onItsWay(encoded: Uint8Array): OnItsWay {
  let settle: (entry: PoolEntry) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const outcome = new Promise<PoolEntry>((resolve, reject) => {
    settle = resolve;
    fail = reject;
  });
  // Whoever waits for it is told; where nobody does, the submit that failed has thrown already.
  outcome.catch(() => undefined);
  return { encoded, outcome, settle, fail };
}
