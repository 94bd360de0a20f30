/** When a breach becomes a ban. All times in ms. */
export interface BanOptions {
  /** Breaches within `badMs` that lead to a ban. */
  readonly bad: number;
  readonly badMs: number;
  /** The first ban; each further one is twice as long, up to `maxBanMs`. */
  readonly banMs: number;
  readonly maxBanMs: number;
}

interface Record {
  breaches: number[];
  bans: number;
  until: number;
}

/** Most subjects that are remembered; the one that was quiet longest is forgotten first. */
const MAX_SUBJECTS = 1_000;

/** Counts breaches of the protocol by node id or address, and bans who repeats them. Pure; the caller brings the time. */
export class BanList {
  readonly #options: BanOptions;
  readonly #records = new Map<string, Record>();

  constructor(options: BanOptions) {
    this.#options = options;
  }

  /** Notes a breach at the monotonic time `now`; answers the length of the ban that it leads to, or 0. */
  breach(subject: string, now: number): number {
    const record = this.#records.get(subject) ?? { breaches: [], bans: 0, until: 0 };
    this.#records.delete(subject);
    this.#records.set(subject, record);
    if (this.#records.size > MAX_SUBJECTS) {
      const [oldest] = this.#records.keys();
      if (oldest !== undefined) this.#records.delete(oldest);
    }
    record.breaches = [...record.breaches.filter((at) => now - at < this.#options.badMs), now];
    if (record.breaches.length < this.#options.bad) return 0;
    const length = Math.min(this.#options.maxBanMs, this.#options.banMs * 2 ** Math.min(record.bans, 30));
    record.breaches = [];
    record.bans += 1;
    record.until = now + length;
    return length;
  }

  /** How long `subject` is still banned, in ms; 0 for not. */
  remaining(subject: string, now: number): number {
    return Math.max(0, (this.#records.get(subject)?.until ?? 0) - now);
  }
}
