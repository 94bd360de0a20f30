import { errorCatalogue, isItChainError, messageOf, type TransactionStatus } from '@it-chain/contracts';

/** What a client was told of one transaction when it sent it. */
export type Answer = 'acknowledged' | 'rejected' | 'unknown';

interface Entry {
  answer: Answer | undefined;
  /** A follower of some node showed it in a block. */
  seen: boolean;
}

/** The counts of a run, in the words of RabbitMQ's own fault tests. */
export interface LedgerCounts {
  readonly attempts: number;
  readonly acknowledged: number;
  /** Refused with a reason. */
  readonly rejected: number;
  /** The call failed: it may be in or not. */
  readonly unknown: number;
  /** Acknowledged and in exactly one block. */
  readonly ok: number;
  /** Acknowledged, or shown as committed, and in no block. */
  readonly lost: number;
  readonly duplicated: number;
  /** Unknown, and in a block after all. */
  readonly recovered: number;
  /** In a block although refused or never sent. */
  readonly unexpected: number;
}

/** What the client keeps: every transaction it sent, what it was told, and when acknowledgements came. */
export class Ledger {
  readonly #entries = new Map<string, Entry>();
  readonly #acknowledgedAt: number[] = [];
  /** Answers that are none: a second one, or a code that no catalogue has. */
  readonly breaches: string[] = [];
  /** Codes of failed calls and how often they came. */
  readonly codes = new Map<string, number>();

  sent(ids: readonly string[]): void {
    for (const id of ids) this.#entries.set(id, { answer: undefined, seen: false });
  }

  /** The answers to a batch, in its order. */
  answered(ids: readonly string[], statuses: readonly TransactionStatus[]): void {
    if (statuses.length !== ids.length) this.breaches.push(`${statuses.length} answers to ${ids.length} transactions`);
    ids.forEach((id, index) => {
      const status = statuses[index];
      if (status === undefined) this.#note(id, 'unknown');
      else if (status.status === 'rejected') {
        this.#code(status.code, status.reason);
        this.#note(id, 'rejected');
      } else this.#note(id, 'acknowledged');
    });
  }

  /** The call failed. */
  failed(ids: readonly string[], error: unknown): void {
    this.#code(isItChainError(error) ? error.code : '', messageOf(error));
    for (const id of ids) this.#note(id, 'unknown');
  }

  /** A node showed it in a block. */
  seen(id: string): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.seen = true;
  }

  /** Acknowledgements a second over the last `ms`. */
  rate(ms: number): number {
    const from = performance.now() - ms;
    let count = 0;
    for (let index = this.#acknowledgedAt.length - 1; index >= 0; index -= 1) {
      if ((this.#acknowledgedAt[index] ?? 0) < from) break;
      count += 1;
    }
    return (count * 1_000) / ms;
  }

  /** True where every transaction that a client holds for in is in `committed`. */
  isSettled(committed: ReadonlyMap<string, number>): boolean {
    for (const [id, { answer, seen }] of this.#entries) {
      if (answer === undefined) return false;
      if ((answer === 'acknowledged' || seen) && !committed.has(id)) return false;
    }
    return true;
  }

  /** Compares with the chain: how often each id is in it. `own` are ids that others than this client sent. */
  count(committed: ReadonlyMap<string, number>, own: ReadonlySet<string>): LedgerCounts {
    const counts = {
      acknowledged: 0,
      rejected: 0,
      unknown: 0,
      ok: 0,
      lost: 0,
      duplicated: 0,
      recovered: 0,
      unexpected: 0,
    };
    for (const [id, { answer = 'unknown', seen }] of this.#entries) {
      const times = committed.get(id) ?? 0;
      counts[answer] += 1;
      if (times > 1) counts.duplicated += 1;
      if (times === 0 && (answer === 'acknowledged' || seen)) counts.lost += 1;
      if (times === 1 && answer === 'acknowledged') counts.ok += 1;
      if (times > 0 && answer === 'unknown') counts.recovered += 1;
      if (times > 0 && answer === 'rejected') counts.unexpected += 1;
    }
    for (const id of committed.keys()) if (!this.#entries.has(id) && !own.has(id)) counts.unexpected += 1;
    return { attempts: this.#entries.size, ...counts };
  }

  #note(id: string, answer: Answer): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.answer !== undefined) {
      this.breaches.push(`${id} was answered ${entry === undefined ? 'unasked' : 'twice'}`);
      return;
    }
    entry.answer = answer;
    if (answer === 'acknowledged') this.#acknowledgedAt.push(performance.now());
  }

  #code(code: string, reason: string): void {
    this.codes.set(code, (this.codes.get(code) ?? 0) + 1);
    if (!(code in errorCatalogue)) this.breaches.push(`"${code}" is no code of the catalogue: ${reason}`);
    else if (reason === '' || /\n\s+at /.test(reason)) this.breaches.push(`${code} came without a readable reason`);
  }
}
