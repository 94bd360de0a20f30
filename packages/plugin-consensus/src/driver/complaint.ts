/** When a leader is complained about. Times in ms. */
export interface ComplaintOptions {
  readonly enabled: boolean;
  /** A transaction that waits this long while `blocks` blocks with room leave it out is a reason. */
  readonly waitMs: number;
  readonly blocks: number;
  /** So many heights in a row of one leader that needed a round above 0 are a reason. */
  readonly lateHeights: number;
  /** So many heights in a row of one leader that took more than T0/2 with work are a reason. */
  readonly slowHeights: number;
  /** After so many complaints in a row that nobody joined, the counting starts again. */
  readonly maxInRow: number;
  /** T0. */
  readonly baseTimeoutMs: number;
}

/** A height that was decided here. */
export interface DecidedHeight {
  readonly height: number;
  /** Key of the creator of the block, hex. */
  readonly proposer: string;
  readonly round: number;
  /** Less than half full, by count and by bytes. */
  readonly hasRoom: boolean;
}

/** Why a leader is complained about. */
export type ComplaintReason = 'censorship' | 'late' | 'slow';

/**
 * The complaint rule: a leader that leaves transactions out, or is always late or slow, is replaced although no round of it
 * fails. Pure: told the time and what happens. A full pool is no reason, since blocks that are half full count for nothing.
 */
export class Complaints {
  readonly #options: ComplaintOptions;
  #leader = '';
  /** When the transaction that has waited longest came, as the pool says; and since when it is the one. */
  #oldest: { readonly came: number; readonly since: number } | undefined;
  /** Blocks with room since then. */
  #leftOut = 0;
  #late = 0;
  #slow = 0;
  #inRow = 0;
  #open: { readonly height: number; workSince: number | undefined } | undefined;

  constructor(options: ComplaintOptions) {
    this.#options = options;
  }

  /** The height that is open, and whether there is work for it. */
  observeHeight(now: number, height: number, working: boolean): void {
    if (this.#open?.height !== height) this.#open = { height, workSince: undefined };
    if (working) this.#open.workSince ??= now;
  }

  /** The pool: when the transaction that has waited longest came, 0 where none waits. */
  observePool(now: number, oldest: number): void {
    if (oldest === 0) this.#oldest = undefined;
    else if (this.#oldest?.came !== oldest) this.#oldest = { came: oldest, since: now };
    else return;
    this.#leftOut = 0;
  }

  /** A height was decided here, by votes. Told before the next one is observed. */
  observeDecided(now: number, decided: DecidedHeight): void {
    const since = this.#open?.height === decided.height ? this.#open.workSince : undefined;
    if (decided.proposer !== this.#leader) this.#forget(now, decided.proposer);
    const slow = since !== undefined && now - since > this.#options.baseTimeoutMs / 2;
    this.#late = decided.round > 0 ? this.#late + 1 : 0;
    this.#slow = slow ? this.#slow + 1 : 0;
    if (decided.hasRoom && this.#oldest !== undefined) this.#leftOut += 1;
  }

  /** The chain moved without votes of this node: what was counted is not in a row any more. */
  observeGap(now: number): void {
    this.#forget(now, '');
  }

  /** The reason to complain about the leader of round 0 of the open height, if there is one. */
  due(now: number, leader: string): ComplaintReason | undefined {
    const { enabled, waitMs, blocks, lateHeights, slowHeights } = this.#options;
    if (!enabled || leader !== this.#leader) return undefined;
    const waited = this.#oldest === undefined ? 0 : now - this.#oldest.since;
    if (waited >= waitMs && this.#leftOut >= blocks) return 'censorship';
    if (this.#late >= lateHeights) return 'late';
    return this.#slow >= slowHeights ? 'slow' : undefined;
  }

  /** A complaint was made. One that nobody joins again and again only costs this node's vote in round 0. */
  complained(now: number): void {
    this.#inRow += 1;
    if (this.#inRow >= this.#options.maxInRow) this.#forget(now, this.#leader);
  }

  /** Another leader gets its own time. */
  #forget(now: number, leader: string): void {
    this.#leader = leader;
    this.#late = 0;
    this.#slow = 0;
    this.#leftOut = 0;
    this.#inRow = 0;
    if (this.#oldest !== undefined) this.#oldest = { came: this.#oldest.came, since: now };
  }
}
