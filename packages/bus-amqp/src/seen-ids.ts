import { LRUCache } from 'lru-cache';

/** Message ids a receiver remembers. */
const MAX_SEEN = 10_000;

/** The ids of messages that were finished, to leave out what a resend or a redelivery brings again. */
export class SeenIds {
  readonly #ids = new LRUCache<string, true>({ max: MAX_SEEN });

  /** True for a message that may be a repetition and whose id was finished. An id that is reused on purpose is not. */
  isRepeated(message: { readonly messageId: string; readonly redelivered: boolean }): boolean {
    return message.redelivered && message.messageId !== '' && this.#ids.has(message.messageId);
  }

  add(messageId: string): void {
    if (messageId !== '') this.#ids.set(messageId, true);
  }
}
