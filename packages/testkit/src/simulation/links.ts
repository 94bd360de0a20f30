import type { Random } from './random.js';

/** What happens to messages on their way. Times in ms. */
export interface LinkFaults {
  /** Share of messages that are lost. */
  readonly loss: number;
  /** Share of messages that come twice. */
  readonly duplication: number;
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  /** Share of messages that take up to ten times as long, so that later ones overtake them. */
  readonly tail: number;
}

/** A local network in peace. */
export const NO_FAULTS: LinkFaults = { loss: 0, duplication: 0, minDelayMs: 1, maxDelayMs: 10, tail: 0 };

/** The links between the processes of a simulation; each direction can be cut by itself. */
export class Links {
  faults: LinkFaults = NO_FAULTS;
  readonly #random: Random;
  readonly #cut = new Set<number>();
  readonly #size: number;
  /** Latency of a link on top of the faults, in ms; for wide areas. */
  base: (from: number, to: number) => number = () => 0;

  constructor(size: number, random: Random) {
    this.#size = size;
    this.#random = random;
  }

  /** The delays, in ms, of the copies of a message that arrive. */
  plan(from: number, to: number): readonly number[] {
    const { loss, duplication } = this.faults;
    const copies = duplication > 0 && this.#random.chance(duplication) ? 2 : 1;
    const delays: number[] = [];
    for (let copy = 0; copy < copies; copy += 1) {
      if (this.isCut(from, to) || (loss > 0 && this.#random.chance(loss))) continue;
      delays.push(this.#delay(from, to));
    }
    return delays;
  }

  #delay(from: number, to: number): number {
    const { minDelayMs, maxDelayMs, tail } = this.faults;
    const delay = this.#random.between(minDelayMs, Math.max(minDelayMs, maxDelayMs));
    const late = tail > 0 && this.#random.chance(tail) ? this.#random.between(1, 10) : 1;
    return this.base(from, to) + delay * late;
  }

  /** Whether the link is cut in this direction. */
  isCut(from: number, to: number): boolean {
    return this.#cut.has(from * this.#size + to);
  }

  /** Cuts the link in this direction. */
  cut(from: number, to: number): void {
    this.#cut.add(from * this.#size + to);
  }

  /** Cuts every link between the groups, both ways, and heals all others. */
  partition(groups: readonly (readonly number[])[]): void {
    this.#cut.clear();
    groups.forEach((group, at) => {
      groups.forEach((other, elsewhere) => {
        if (at !== elsewhere) for (const a of group) for (const b of other) this.cut(a, b);
      });
    });
  }

  /** Joins what was cut; the faults stay. */
  join(): void {
    this.#cut.clear();
  }
}
