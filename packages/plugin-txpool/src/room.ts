import type { ErrorCode } from '@it-chain/contracts';

/** The limits of the pool. */
export interface RoomLimits {
  readonly maxCount: number;
  readonly maxBytes: number;
  readonly maxPerSender: number;
}

/** Counts what the pool holds and what is on its way in, so that nothing is verified that there is no room for. */
export class Room {
  readonly limits: RoomLimits;
  readonly #bySender = new Map<string, number>();
  count = 0;
  bytes = 0;

  constructor(limits: RoomLimits) {
    this.limits = limits;
  }

  /** Takes a place for a transaction, or says which limit is reached. */
  reserve(sender: string, bytes: number): ErrorCode | undefined {
    const { maxCount, maxBytes, maxPerSender } = this.limits;
    if (this.count >= maxCount || this.bytes + bytes > maxBytes) return 'ERR_TXPOOL_FULL';
    const held = this.#bySender.get(sender) ?? 0;
    if (held >= maxPerSender) return 'ERR_TXPOOL_SENDER_LIMIT';
    this.take(sender, bytes);
    return undefined;
  }

  /** Takes a place whatever the limits: for what was accepted before a restart. */
  take(sender: string, bytes: number): void {
    this.count += 1;
    this.bytes += bytes;
    this.#bySender.set(sender, (this.#bySender.get(sender) ?? 0) + 1);
  }

  /** Gives a place back. */
  release(sender: string, bytes: number): void {
    this.count -= 1;
    this.bytes -= bytes;
    const held = (this.#bySender.get(sender) ?? 1) - 1;
    if (held > 0) this.#bySender.set(sender, held);
    else this.#bySender.delete(sender);
  }
}
