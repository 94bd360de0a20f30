import { messageOf, type Cancel, type Clock, type Log, type P2p } from '@it-chain/contracts';

/** Asks p2p for the network until there is a block: the event that tells it is only a hint. */
export class NetworkWatch {
  readonly #pollMs: number;
  readonly #p2p: P2p;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #settled: () => boolean;
  readonly #adopt: (genesis: Uint8Array) => Promise<boolean>;
  #cancel: Cancel | undefined;
  #asking = false;
  #again = false;

  constructor(
    options: { readonly pollMs: number },
    dependencies: {
      readonly p2p: P2p;
      readonly clock: Clock;
      readonly log: Log;
      /** True once the network cannot change any more: there is a block. */
      readonly settled: () => boolean;
      readonly adopt: (genesis: Uint8Array) => Promise<boolean>;
    },
  ) {
    this.#pollMs = options.pollMs;
    this.#p2p = dependencies.p2p;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#settled = dependencies.settled;
    this.#adopt = dependencies.adopt;
  }

  /** Begins to ask, now and every `pollMs`, until the network is settled. */
  start(): void {
    if (this.#settled()) return;
    this.#cancel = this.#clock.every(this.#pollMs, () => {
      this.look();
    });
    this.look();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Asks now; while a question is under way, once more after it. */
  look(): void {
    if (this.#asking) {
      this.#again = true;
      return;
    }
    this.#asking = true;
    void this.#ask().finally(() => {
      this.#asking = false;
      if (this.#again) {
        this.#again = false;
        this.look();
      }
    });
  }

  async #ask(): Promise<void> {
    if (this.#settled()) {
      this.stop();
      return;
    }
    try {
      const { genesis } = await this.#p2p.network({});
      if (genesis !== undefined) await this.#adopt(genesis);
    } catch (error) {
      // Asked again at the next turn: p2p or the application may not be there yet.
      this.#log.debug('the network is not known yet', { reason: messageOf(error) });
    }
  }
}
