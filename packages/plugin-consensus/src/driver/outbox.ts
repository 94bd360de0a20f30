import {
  hasCode,
  isItChainError,
  messageOf,
  type Clock,
  type Identity,
  type Log,
  noFailpoint,
  type Failpoint,
} from '@it-chain/contracts';
import type { LogRecord } from '../machine/interface.js';
import type { VoteLog } from './wal.js';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/** A record that waits to be signed, and whom it goes to. */
export interface OutboxEntry {
  readonly record: LogRecord;
  readonly to: readonly Uint8Array[];
}

/** What an outbox works with. */
export interface OutboxDependencies {
  readonly identity: Identity;
  readonly votes: VoteLog;
  readonly clock: Clock;
  readonly log: Log;
  /** Sends a signed message. */
  readonly send: (record: LogRecord, to: readonly Uint8Array[]) => void;
  readonly onSigned: (record: LogRecord) => void;
  readonly onRefused: (record: LogRecord) => void;
  /** The height that is open: what is below it is not said any more. */
  readonly openHeight: () => number;
  /** The disk is lost. */
  readonly onFailing: (error: unknown) => void;
  readonly failpoint?: Failpoint | undefined;
}

/**
 * The barrier: one record at a time is signed, written, and only after the answer of the synced write sent and told to
 * the machine. What fails for a while is tried again, because a vote behind it must not overtake it.
 */
export class Outbox {
  readonly #network: Uint8Array;
  readonly #with: OutboxDependencies;
  readonly #failpoint: Failpoint;
  readonly #stop = new AbortController();
  #queue: OutboxEntry[] = [];
  #running = false;

  constructor(options: { readonly network: Uint8Array }, dependencies: OutboxDependencies) {
    this.#network = options.network;
    this.#with = dependencies;
    this.#failpoint = dependencies.failpoint ?? noFailpoint;
  }

  push(entry: OutboxEntry): void {
    this.#queue.push(entry);
    if (!this.#running) void this.#run();
  }

  /** Nothing is signed or sent after this. */
  close(): void {
    this.#stop.abort();
    this.#queue = [];
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let entry = this.#queue.shift(); entry !== undefined; entry = this.#queue.shift()) {
      try {
        await this.#say(entry);
      } catch (error) {
        if (this.#stop.signal.aborted) break;
        this.#with.onFailing(error);
        this.close();
      }
    }
    this.#running = false;
  }

  async #say({ record, to }: OutboxEntry): Promise<void> {
    const { vote } = record.message;
    const isOver = (): boolean => this.#stop.signal.aborted || vote.height < this.#with.openHeight();
    this.#failpoint('vote.before-sign');
    const signature = await this.#persistently('sign a vote', isOver, () => this.#sign(record));
    if (signature === undefined) return;
    if (signature === 'refused') {
      this.#with.onRefused(record);
      return;
    }
    const signed: LogRecord = { ...record, message: { ...record.message, vote: { ...vote, signature } } };
    this.#failpoint('vote.after-sign');
    const written = await this.#persistently('write a vote', isOver, async () => {
      await this.#with.votes.append(signed);
      return true;
    });
    if (written === undefined) return;
    this.#failpoint('vote.after-log');
    this.#with.send(signed, to);
    this.#failpoint('vote.after-send');
    this.#with.onSigned(signed);
  }

  async #sign(record: LogRecord): Promise<Uint8Array | 'refused'> {
    const { type, height, round, digest } = record.message.vote;
    try {
      const vote = { type, height, round, digest };
      return (await this.#with.identity.signVote({ network: this.#network, vote })).signature;
    } catch (error) {
      if (!hasCode(error, 'ERR_IDENTITY_DOUBLE_SIGN') && !hasCode(error, 'ERR_IDENTITY_STALE_VOTE')) throw error;
      this.#with.log.warn('the signing guard refused a vote; it stays unsaid', { type, height, round });
      return 'refused';
    }
  }

  /** Tries until it works or is no longer needed; a failing disk is not tried again. */
  async #persistently<T>(what: string, isOver: () => boolean, run: () => Promise<T>): Promise<T | undefined> {
    for (let pause = FIRST_PAUSE_MS; !isOver(); pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      try {
        return await run();
      } catch (error) {
        if (isItChainError(error) && FAILING.has(error.code)) throw error;
        this.#with.log.warn(`cannot ${what} now; trying again`, { error: messageOf(error), pause });
      }
      await this.#with.clock.sleep(pause, this.#stop.signal);
    }
    return undefined;
  }
}

const FAILING = new Set([
  'ERR_STORAGE_IO',
  'ERR_STORAGE_DAMAGED',
  'ERR_IDENTITY_GUARD_FAILED',
  'ERR_IDENTITY_GUARD_DAMAGED',
]);
