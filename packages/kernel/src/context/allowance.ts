import { failure } from '@it-chain/contracts';

/** What one plugin may take of the bus that all plugins share. */
export interface PluginLimits {
  /** Events that it tells in a second. */
  readonly eventsPerSecond: number;
  /** Calls that are not answered, at once. */
  readonly openCalls: number;
}

/** What holds where nothing is configured. */
export const DEFAULT_LIMITS: PluginLimits = { eventsPerSecond: 1_000, openCalls: 5_000 };

/** One plugin's share of the calls under way: what is above it fails at once, so that a plugin that floods takes nothing from the others. */
export class Allowance {
  readonly #plugin: string;
  readonly #max: number;
  readonly #onRefused: () => void;
  #open = 0;

  constructor(options: { readonly plugin: string; readonly max: number }, onRefused: () => void) {
    this.#plugin = options.plugin;
    this.#max = options.max;
    this.#onRefused = onRefused;
  }

  /** Runs `work` as a part of the share. @throws ERR_BUS_FULL, or what it rejects with */
  async use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#open >= this.#max) {
      this.#onRefused();
      throw failure('ERR_BUS_FULL', `the plugin ${this.#plugin} has ${this.#max} calls under way already`, {
        retryable: true,
      });
    }
    this.#open += 1;
    try {
      return await work();
    } finally {
      this.#open -= 1;
    }
  }
}
