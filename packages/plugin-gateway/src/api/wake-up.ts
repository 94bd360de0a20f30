import type { Clock } from '@it-chain/contracts';
import type { EventFeed, FeedEvent } from './event-feed.js';

/**
 * Lets a follower wait until an event hints that something changed, or until it is time to look anyway. A hint that comes
 * while the follower works is kept, so none is lost between two looks.
 */
export class WakeUp {
  #rung = false;
  #ring: (() => void) | undefined;
  readonly #unsubscribe: () => void;
  readonly #clock: Clock;

  constructor(
    concerns: (event: FeedEvent) => boolean,
    dependencies: { readonly events: EventFeed; readonly clock: Clock },
  ) {
    this.#clock = dependencies.clock;
    this.#unsubscribe = dependencies.events.subscribe((event) => {
      if (!concerns(event)) return;
      this.#rung = true;
      this.#ring?.();
    });
  }

  /** Resolves at the next hint, after `ms`, or when the signal aborts. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const finish = (): void => {
          cancel();
          this.#ring = undefined;
          signal.removeEventListener('abort', finish);
          resolve();
        };
        const cancel = this.#clock.after(ms, finish);
        this.#ring = finish;
        signal.addEventListener('abort', finish);
      });
    }
    this.#rung = false;
  }

  close(): void {
    this.#unsubscribe();
  }
}
