import { toHex } from '@it-chain/contracts';
import type { Input } from '../machine/interface.js';
import type { State } from '../machine/state.js';

/** What a lag is followed with. */
export interface LagDependencies {
  readonly state: () => State;
  readonly input: (input: Input) => void;
  /** Fetches blocks until nobody is known to be ahead. */
  readonly sync: () => void;
}

/**
 * Whether this node has fallen behind votes that it sees. STATUS comes once a second: a node that waited for it would stay
 * a second behind for good wherever the others make several blocks in that time, and never vote with them again.
 */
export class Lag {
  readonly #with: LagDependencies;
  /** A sync was left out while a block was about to be committed. */
  #waits = false;

  constructor(dependencies: LagDependencies) {
    this.#with = dependencies;
  }

  /** A peer votes or tells a block above the next height, so its tip is at least `tip`; taken at its word, as with STATUS. */
  onAhead(from: Uint8Array, tip: number): void {
    const state = this.#with.state();
    const view = state.peers.get(toHex(from));
    if (view === undefined || view.height >= tip) return;
    const { round } = view;
    const content = { kind: 'status', height: tip, digest: NOT_TOLD, round } as const;
    this.#with.input({ type: 'message', from, content, attempt: 0 });
    this.#syncOrWait();
  }

  /** The tip has moved. */
  onTip(): void {
    if (!this.#waits) return;
    const { peers, height } = this.#with.state();
    if ([...peers.values()].some((view) => view.height >= height)) this.#syncOrWait();
    else this.#waits = false;
  }

  /** Whoever is about to commit may be at the tip a moment later. */
  #syncOrWait(): void {
    this.#waits = this.#with.state().at.deciding !== undefined;
    if (!this.#waits) this.#with.sync();
  }
}

/** Compared with our own digest only where both tips are at one height. */
const NOT_TOLD = new Uint8Array(32);
