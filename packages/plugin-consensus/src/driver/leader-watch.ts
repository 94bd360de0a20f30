import {
  BlockHeader,
  nodeIdOf,
  fromHex,
  toHex,
  type Clock,
  type Counter,
  type Genesis,
  type Log,
} from '@it-chain/contracts';
import type { Effect } from '../machine/interface.js';
import { hasWork, isValidator, leaderAt, type State } from '../machine/state.js';
import { Complaints, type ComplaintOptions, type ComplaintReason } from './complaint.js';

const WORDS: Record<ComplaintReason, string> = {
  censorship: 'transactions wait although its blocks have room',
  late: 'its last heights all needed a round above 0',
  slow: 'its last heights all took more than half the timeout',
};

/** What a leader watch works with. */
export interface LeaderWatchDependencies {
  readonly clock: Clock;
  readonly log: Log;
  /** Complaints by reason. */
  readonly complaints: Counter;
}

/** Watches what the leader does with the work there is, and says when this node asks for another one. */
export class LeaderWatch {
  readonly #genesis: Pick<Genesis, 'maxBlockTransactions' | 'maxBlockBytes'>;
  readonly #with: LeaderWatchDependencies;
  readonly #complaints: Complaints;
  /** The last height that was decided by votes. */
  #decided = 0;
  #checked = 0;
  #last: { readonly height: number; readonly leader: string; readonly reason: ComplaintReason } | undefined;

  constructor(
    options: ComplaintOptions & { readonly genesis: Pick<Genesis, 'maxBlockTransactions' | 'maxBlockBytes'> },
    dependencies: LeaderWatchDependencies,
  ) {
    this.#genesis = options.genesis;
    this.#with = dependencies;
    this.#complaints = new Complaints(options);
  }

  /** The pool says when the transaction that has waited longest came; 0 where none waits. */
  onPool(oldest: number): void {
    this.#complaints.observePool(this.#now, oldest);
  }

  /** The votes have decided a block. */
  onDecided({ height, block, certificate }: Extract<Effect, { type: 'decide' }>): void {
    const { proposer } = BlockHeader.decode(block.header);
    const { maxBlockTransactions, maxBlockBytes } = this.#genesis;
    const bytes = block.transactions.reduce((sum, { length }) => sum + length, 0);
    const hasRoom = block.transactions.length * 2 < maxBlockTransactions && bytes * 2 < maxBlockBytes;
    this.#decided = height;
    const decided = { height, proposer: toHex(proposer), round: certificate.round, hasRoom };
    this.#complaints.observeDecided(this.#now, decided);
  }

  /** Looks at the machine after a step. @returns true where this node is to complain at the height that was entered */
  onStep(state: State): boolean {
    const { height, at } = state;
    const entered = height !== this.#checked;
    if (entered && this.#decided !== height - 1) this.#complaints.observeGap(this.#now);
    this.#complaints.observeHeight(this.#now, height, at.touched || hasWork(state));
    if (!entered) return false;
    this.#checked = height;
    const leader = leaderAt(state, 0);
    if (!isValidator(state) || leader === state.selfKey) return false;
    const reason = this.#complaints.due(this.#now, leader);
    if (reason === undefined) return false;
    this.#tell(height, leader, reason);
    return true;
  }

  /** The complaint at this height, in words; empty where there is none. */
  describe(height: number): string {
    if (this.#last?.height !== height) return '';
    return `this node asks for another leader than ${nameOf(this.#last.leader)}: ${WORDS[this.#last.reason]}`;
  }

  #tell(height: number, leader: string, reason: ComplaintReason): void {
    this.#last = { height, leader, reason };
    this.#complaints.complained(this.#now);
    this.#with.complaints.add(1, { reason });
    this.#with.log.warn('this node asks for another leader', { height, leader: nameOf(leader), reason: WORDS[reason] });
  }

  get #now(): number {
    return this.#with.clock.monotonic();
  }
}

function nameOf(key: string): string {
  const bytes = fromHex(key, 32);
  return bytes === undefined ? 'nobody' : nodeIdOf(bytes);
}
