import { failure, type FatalKind } from '@it-chain/contracts';
import type { NodeFailure } from './node-options.js';

/** Ends a start early, by a signal or by `context.fatal`, and tells a running node's failure. */
export class Lifeline {
  /** The first fatal call. Never rejects. */
  readonly failed: Promise<NodeFailure>;
  readonly #cut: Promise<never>;
  #ended = false;
  #fail: (failure: NodeFailure) => void = () => undefined;
  #abort: (error: Error) => void = () => undefined;

  constructor(signal?: AbortSignal) {
    this.failed = new Promise((resolve) => (this.#fail = resolve));
    this.#cut = new Promise((_resolve, reject) => (this.#abort = reject));
    // Nobody may be waiting when it comes; then `failed` tells it.
    this.#cut.catch(() => undefined);
    const abort = (): void => {
      this.#abort(failure('ERR_NODE_ABORTED', 'the node was told to stop while it was starting'));
    };
    if (signal?.aborted === true) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  }

  /** Notes that `plugin` ends the node; only the first call counts. True for that one. */
  fatal(plugin: string, kind: FatalKind, error: Error): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#fail({ kind, error, plugin });
    this.#abort(
      failure('ERR_PLUGIN_FAILED', `the plugin ${plugin} ended the node: ${error.message}`, {
        cause: error,
        data: { plugin, phase: 'start', kind },
      }),
    );
    return true;
  }

  /** The result of `work`, unless the start is ended first. */
  race<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#cut]);
  }
}
