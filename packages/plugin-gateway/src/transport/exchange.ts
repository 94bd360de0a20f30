import { failure, ItChainError, type Clock } from '@it-chain/contracts';
import { plainText } from './goodbye.js';
import type { ReceivedMessage } from './peer-messages.js';

/** A request that the other node waits for. */
interface Asked {
  readonly cancel: () => void;
}

interface Waiting {
  resolve(body: Uint8Array): void;
  reject(error: Error): void;
}

/** How an exchange reaches its session. */
export interface ExchangeDependencies {
  readonly clock: Clock;
  /** False where the budget of the peer is used up. */
  sendRequest(head: { id: number; kind: string; timeoutMs: number }, body: Uint8Array): boolean;
  /** Sends that there is no answer. */
  refuse(id: number, code: string, message: string): void;
  asked(id: number, kind: string, body: Uint8Array): void;
}

/** The requests of one session in both directions, each with a deadline. */
export class Exchange {
  readonly #limit: number;
  readonly #deps: ExchangeDependencies;
  readonly #waiting = new Map<number, Waiting>();
  readonly #asked = new Map<number, Asked>();
  #lastId = 0;

  /** At most `limit` requests wait in each direction. */
  constructor(limit: number, deps: ExchangeDependencies) {
    this.#limit = limit;
    this.#deps = deps;
  }

  /**
   * Asks the other node.
   * @throws ERR_PEER_BUSY, ERR_PEER_TIMEOUT, ERR_PEER_NOT_CONNECTED, or the code of its answer
   */
  fetch(kind: string, body: Uint8Array, timeoutMs: number, signal?: AbortSignal): Promise<Uint8Array> {
    if (this.#waiting.size >= this.#limit) {
      return Promise.reject(
        failure('ERR_PEER_BUSY', `${this.#limit} requests wait for this peer`, { retryable: true }),
      );
    }
    const id = this.#nextId();
    return new Promise<Uint8Array>((resolve, reject) => {
      const settle = (): void => {
        cancel();
        signal?.removeEventListener('abort', abort);
        this.#waiting.delete(id);
      };
      const waiting: Waiting = {
        resolve: (answer) => {
          settle();
          resolve(answer);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      const late = (what: string) => (): void => {
        waiting.reject(failure('ERR_PEER_TIMEOUT', `the request "${kind}" ${what}`, { retryable: true }));
      };
      const cancel = this.#deps.clock.after(timeoutMs, late(`was not answered within ${timeoutMs} ms`));
      const abort = late('was given up');
      this.#waiting.set(id, waiting);
      if (signal?.aborted === true) {
        abort();
        return;
      }
      signal?.addEventListener('abort', abort, { once: true });
      if (!this.#deps.sendRequest({ id, kind, timeoutMs }, body)) {
        waiting.reject(failure('ERR_PEER_BUSY', 'the send budget of this peer is used up', { retryable: true }));
      }
    });
  }

  /** Takes a request or response of the other node. */
  receive(message: ReceivedMessage): void {
    const { id, kind, errorCode } = message;
    if (message.type === 'request') {
      this.#ask(message);
      return;
    }
    const waiting = this.#waiting.get(id);
    // An answer that came too late: whoever asked was told so already.
    if (waiting === undefined) return;
    if (errorCode === '') {
      waiting.resolve(message.body);
    } else {
      const code = /^ERR_[A-Z0-9_]+$/.test(errorCode) ? errorCode : 'ERR_PEER_NO_ANSWER';
      waiting.reject(
        new ItChainError(code, plainText(message.errorMessage) || `the peer refused the request "${plainText(kind)}"`),
      );
    }
  }

  /** True where the other node still waits for the answer `id`; it does no longer after this. */
  finish(id: number): boolean {
    const asked = this.#asked.get(id);
    asked?.cancel();
    return this.#asked.delete(id);
  }

  /** Fails everything that waits. */
  close(error: Error): void {
    for (const waiting of [...this.#waiting.values()]) waiting.reject(error);
    for (const asked of this.#asked.values()) asked.cancel();
    this.#asked.clear();
  }

  #ask({ id, kind, body, timeoutMs }: ReceivedMessage): void {
    if (this.#asked.has(id)) {
      throw failure('ERR_PEER_PROTOCOL', `two open requests with the number ${id}`);
    }
    if (this.#asked.size >= this.#limit) {
      this.#deps.refuse(id, 'ERR_PEER_BUSY', `more than ${this.#limit} requests wait for an answer`);
      return;
    }
    // A little before the other side gives up, so that it learns that this node is well and nobody answers.
    const wait = Math.max(1, Math.min(timeoutMs, 600_000) - Math.min(timeoutMs / 10, 500));
    const cancel = this.#deps.clock.after(wait, () => {
      this.#asked.delete(id);
      this.#deps.refuse(id, 'ERR_PEER_NO_ANSWER', `nobody answered a request "${plainText(kind)}"`);
    });
    this.#asked.set(id, { cancel });
    this.#deps.asked(id, kind, body);
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId % 0xffff_ffff) + 1;
    while (this.#waiting.has(this.#lastId));
    return this.#lastId;
  }
}
