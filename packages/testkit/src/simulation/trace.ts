/** Two 32-bit FNV-1a lanes over what happened: equal runs have equal hashes on every machine. */
export class TraceHash {
  #a = 0x811c9dc5;
  #b = 0x9747b28c;

  /** Takes a whole number in. */
  add(value: number): void {
    const low = value | 0;
    const high = Math.floor(value / 4_294_967_296) | 0;
    this.#a = Math.imul(this.#a ^ low, 0x01000193) ^ (this.#a >>> 15);
    this.#b = Math.imul(this.#b ^ low ^ Math.imul(high, 0x85ebca6b), 0x01000193) ^ (this.#b >>> 13);
  }

  /** Takes the first eight bytes in: of a digest they say enough. */
  addBytes(bytes: Uint8Array): void {
    for (let at = 0; at < 8 && at < bytes.length; at += 4) {
      this.add(
        ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0),
      );
    }
  }

  /** 16 hex digits. */
  get value(): string {
    const hex = (lane: number): string => (lane >>> 0).toString(16).padStart(8, '0');
    return hex(this.#a) + hex(this.#b);
  }
}
