import type { Arena } from './arena.js';
import { metric } from './measures.js';

/** Fewer samples say nothing of a percentile. */
const MIN_SAMPLES = 100;
const PAUSE_MS = 500;

/** How late the event loops of the nodes are, sampled over the API while no fault is on. */
export class EventLoopWatch {
  readonly #samples: number[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** Begins to sample; each node tells the delay that its last answer met. */
  start(arena: Arena): void {
    this.#timer ??= setInterval(() => {
      arena.nodes.forEach((node, index) => {
        if (!node.running) return;
        metric(arena, index, 'nodejs_eventloop_lag_seconds').then(
          (seconds) => this.#samples.push(seconds * 1_000),
          () => undefined, // A node that answers nothing has no delay to tell: other invariants see it.
        );
      });
    }, PAUSE_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** The 99th percentile in ms; undefined while there are too few samples. */
  get p99(): number | undefined {
    const sorted = [...this.#samples].sort((a, b) => a - b);
    return sorted.length < MIN_SAMPLES ? undefined : sorted[Math.ceil(sorted.length * 0.99) - 1];
  }
}
