/** Bodies that wait in the queues of one user, ready or unacknowledged, so that one that never acknowledges leaves the rest to the others. */
export class HeldBytes {
  readonly #most: number;
  #bytes = 0;

  /** `most`: octets; Infinity for no limit. */
  constructor(most: number) {
    this.#most = most;
  }

  fits(bytes: number): boolean {
    return this.#bytes + bytes <= this.#most;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
  }

  subtract(bytes: number): void {
    this.#bytes -= bytes;
  }
}
