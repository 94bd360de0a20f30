/** Runs one thing after the other. */
export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `work` when all before it has ended, well or not. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work, work);
    // The next one does not care how this one ended; its own caller is told.
    this.#last = result.catch(() => undefined);
    return result;
  }
}
