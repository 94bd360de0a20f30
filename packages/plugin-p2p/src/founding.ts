import {
  P2p,
  failure,
  sameBytes,
  toHex,
  type Cancel,
  type Clock,
  type Hello,
  type Infer,
  type Log,
  type NetworkAnswer,
  type NodeIdentity,
  type NoticeDefinition,
} from '@it-chain/contracts';
import { decideFounding, type Direction, type FoundingDecision } from './decide-founding.js';
import type { P2pStore, StoredState } from './p2p-store.js';
import { readGenesis, readHello, type KnownGenesis, type ShownNetwork } from './read-genesis.js';

/** What the founding is made with. */
export interface FoundingOptions {
  /** Hex digest of the only network to join. */
  readonly pin: string | undefined;
  readonly settleMs: number;
  /** Name of the application of this node. */
  readonly application: string;
}

/** What the founding needs around it. */
export interface FoundingDependencies {
  readonly store: P2pStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly identity: NodeIdentity;
  readonly emit: <B>(notice: NoticeDefinition<B>, body: B) => Promise<void>;
  /** Told when the network, or what is shown of it, is another one. */
  readonly changed: (genesis: KnownGenesis) => Promise<void>;
}

/** What came of a meeting, with both networks for the message. */
export interface Meeting {
  readonly decision: FoundingDecision;
  readonly own: string | undefined;
  readonly other: string | undefined;
  /** What both show. */
  readonly genesis: { readonly own: KnownGenesis | undefined; readonly other: KnownGenesis | undefined };
}

/** To which network this node belongs, and how it comes to one. Everything that changes it goes through one queue. */
export class Founding {
  readonly #options: FoundingOptions;
  readonly #dependencies: FoundingDependencies;
  #genesis: KnownGenesis | undefined;
  #candidate: KnownGenesis | undefined;
  #height = 0;
  #settled = false;
  #cancelSettling: Cancel | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  readonly #waiting = new Set<() => void>();

  constructor(options: FoundingOptions, dependencies: FoundingDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  get genesis(): KnownGenesis | undefined {
    return this.#genesis;
  }

  /** True when the network counts: nobody has shown a lower one for a while, or this node adopted it. */
  get settled(): boolean {
    return this.#settled;
  }

  get height(): number {
    return this.#height;
  }

  get hasCandidate(): boolean {
    return this.#candidate !== undefined;
  }

  /** Takes over what is stored. */
  restore(stored: StoredState): void {
    this.#candidate = stored.candidate === undefined ? undefined : readGenesis(stored.candidate);
    this.#genesis = stored.genesis === undefined ? undefined : readGenesis(stored.genesis);
    this.#height = stored.height;
    if (this.#genesis !== undefined) this.#beginToSettle();
  }

  /** Stores the candidate that was drawn, unless there is one. */
  async draw(candidate: Uint8Array): Promise<void> {
    this.#candidate ??= readGenesis(await this.#dependencies.store.keepCandidate(candidate));
  }

  /** Notes the height of the last block. True where it is the first one. */
  reached(height: number): boolean {
    const first = this.#height === 0 && height > 0;
    this.#height = Math.max(this.#height, height);
    if (first) this.#settle();
    return first;
  }

  answer(): Infer<typeof NetworkAnswer> {
    const genesis = this.#settled ? this.#genesis?.bytes : undefined;
    return { genesis, candidate: this.#candidate?.bytes };
  }

  /** What peers are shown. */
  hello(leader: Uint8Array): Hello {
    const mayFound = this.#genesis === undefined && this.#options.pin === undefined;
    return {
      network: this.#genesis?.digest,
      genesis: this.#genesis?.bytes ?? new Uint8Array(0),
      height: this.#height,
      name: this.#dependencies.identity.name,
      // The gateway fills in the address that it advertises.
      addresses: [],
      candidate: mayFound ? (this.#candidate?.bytes ?? new Uint8Array(0)) : new Uint8Array(0),
      leader,
    };
  }

  /** Founds a network of this node alone, if it belongs to none. @throws ERR_NETWORK_UNFOUNDED where it must not */
  async found(): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#genesis !== undefined) return;
      if (this.#options.pin !== undefined || this.#candidate === undefined) {
        const why =
          this.#options.pin === undefined ? 'it has no candidate yet' : `it is pinned to ${this.#options.pin}`;
        throw failure('ERR_NETWORK_UNFOUNDED', `this node cannot found: ${why}`, { retryable: true });
      }
      await this.#change(this.#candidate);
    });
  }

  /**
   * Compares networks with a peer and acts on it; the caller ends the session where it is refused.
   * @throws ERR_DATA_MALFORMED, ERR_CHAIN_APPLICATION for what the peer shows
   */
  meet(hello: Hello, publicKey: Uint8Array, direction: Direction): Promise<Meeting> {
    return this.#inTurn(async () => {
      const shown = readHello(hello, publicKey, this.#options.application);
      // A second look where the first change was overtaken by block 1.
      for (let attempt = 0; ; attempt += 1) {
        const own = this.#genesis?.network;
        const decision = decideFounding(
          {
            network: own,
            height: this.#height,
            candidate: this.#candidate?.network,
            recovered: this.#genesis?.value.recovery !== undefined,
          },
          shown.view,
          direction,
          this.#options.pin,
        );
        const genesis = { own: this.#genesis, other: shown.genesis };
        const meeting = { decision, own, other: shown.view.network, genesis };
        const target = this.#targetOf(decision, shown);
        if (target === undefined) {
          const conflict = shown.view.network !== undefined && shown.view.network !== own && shown.view.height === 0;
          if (decision === 'keep' && conflict && !this.#settled) this.#beginToSettle();
          return meeting;
        }
        if ((await this.#change(target)) || attempt > 0) return meeting;
      }
    });
  }

  /** Resolves when the network has settled, or after `ms`. */
  async whenSettled(ms: number): Promise<boolean> {
    if (this.#settled) return true;
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        this.#waiting.delete(done);
        resolve(this.#settled);
      };
      const cancel = this.#dependencies.clock.after(ms, done);
      this.#waiting.add(done);
    });
  }

  stop(): void {
    this.#cancelSettling?.();
    for (const done of [...this.#waiting]) done();
  }

  #targetOf(decision: FoundingDecision, shown: ShownNetwork): KnownGenesis | undefined {
    if (decision === 'found') return this.#candidate;
    if (decision === 'adopt-network') return shown.genesis;
    return decision === 'adopt-candidate' ? shown.candidate : undefined;
  }

  /** True where the network is `to` now; false where the store had a block or another genesis. */
  async #change(to: KnownGenesis): Promise<boolean> {
    const { store, log } = this.#dependencies;
    const from = this.#genesis;
    if (!(await store.changeNetwork(from?.bytes, to.bytes))) {
      const stored = await store.load();
      this.#genesis = stored.genesis === undefined ? undefined : readGenesis(stored.genesis);
      this.#height = stored.height;
      return false;
    }
    this.#genesis = to;
    this.#settled = false;
    log.info(this.#isFounder(to) ? 'this node founds a network' : 'this node joins a network', {
      network: to.network,
      ...(from === undefined ? {} : { instead: from.network }),
      ...(to.value.recovery === undefined ? {} : { recovers: toHex(to.value.recovery.network) }),
    });
    await this.#dependencies.changed(to);
    this.#beginToSettle();
    return true;
  }

  #isFounder({ value }: KnownGenesis): boolean {
    return sameBytes(value.founder, this.#dependencies.identity.publicKey);
  }

  /** A founder waits for somebody with a lower digest; whoever adopted, or has a block, need not. */
  #beginToSettle(): void {
    this.#cancelSettling?.();
    this.#cancelSettling = undefined;
    const { clock } = this.#dependencies;
    if (this.#height === 0 && this.#genesis !== undefined && this.#isFounder(this.#genesis)) {
      this.#cancelSettling = clock.after(this.#options.settleMs, () => {
        this.#settle();
      });
    } else this.#settle();
  }

  #settle(): void {
    this.#cancelSettling?.();
    this.#cancelSettling = undefined;
    if (this.#settled || this.#genesis === undefined) return;
    this.#settled = true;
    for (const done of [...this.#waiting]) done();
    const founder = this.#genesis.network === this.#candidate?.network;
    const candidate = this.#candidate?.digest ?? new Uint8Array(0);
    void this.#dependencies.emit(P2p.events.founded, { genesis: this.#genesis.bytes, founder, candidate });
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(run);
    // The next one does not care how this one ended; the caller does.
    this.#queue = turn.catch(() => undefined);
    return turn;
  }
}
