import type { Session } from './session.js';

/** Something a user of the bus registered: put on every new session, taken off at the end. */
export interface Binding {
  /** Declares and consumes. @throws ERR_ROLE_TAKEN */
  attach(session: Session): Promise<void>;
  /** The session is gone; what was in hand is the next session's affair. */
  lost(): void;
  /** Takes nothing more, lets what is in hand finish, at most so long, and takes its queue away where it has one. */
  detach(timeoutMs: number): Promise<void>;
}

/** Work in hand, and who waits for its end. */
export class InHand {
  #count = 0;
  #idle: (() => void)[] = [];

  get count(): number {
    return this.#count;
  }

  begin(): void {
    this.#count += 1;
  }

  end(): void {
    this.#count -= 1;
    if (this.#count > 0) return;
    for (const tell of this.#idle) tell();
    this.#idle = [];
  }

  whenIdle(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }
}
