import { hasCode, messageOf, type Clock, type Log } from '@it-chain/contracts';
import { within } from './clock.js';
import { ListenBinding } from './listen-binding.js';
import type { Binding } from './registration.js';
import { RoleBinding } from './role-binding.js';
import type { Session } from './session.js';

/** How long a role whose old queue lingers in the broker is asked for before somebody is told, in ms. */
const TAKEN_LIMIT_MS = 15_000;

/** Everything the users of a bus registered, put on each new session. */
export class Bindings {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #closed: AbortSignal;
  readonly #all = new Set<Binding>();

  constructor(dependencies: { readonly clock: Clock; readonly log: Log; readonly closed: AbortSignal }) {
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#closed = dependencies.closed;
  }

  /** True where this bus serves the role itself: its own exclusive queue would not refuse it. */
  hasRole(role: string): boolean {
    return [...this.#all].some((binding) => binding instanceof RoleBinding && binding.role === role);
  }

  add(binding: Binding): void {
    this.#all.add(binding);
  }

  delete(binding: Binding): void {
    this.#all.delete(binding);
  }

  /** Puts all on a new session. A role that is still taken is asked for in the background. */
  async attachAll(session: Session): Promise<void> {
    for (const binding of this.#all) {
      try {
        await binding.attach(session);
      } catch (error) {
        // After a crash of the connection the broker may still hold the old exclusive queue.
        if (!hasCode(error, 'ERR_ROLE_TAKEN')) throw error;
        void this.#attachLater(binding, session);
      }
    }
  }

  /** The session is gone. */
  lost(): void {
    for (const binding of this.#all) binding.lost();
  }

  /** Takes one back. Safe to call twice. */
  async leave(binding: Binding, timeoutMs: number): Promise<void> {
    if (this.#all.delete(binding)) await this.#detach(binding, timeoutMs);
  }

  /** Takes all back, and waits for what is in hand, at most so long. */
  async leaveAll(timeoutMs: number): Promise<void> {
    const all = [...this.#all];
    const idle = all.filter((binding) => binding instanceof ListenBinding).map((binding) => binding.whenIdle());
    const leaving = all.map((binding) => this.leave(binding, timeoutMs));
    // The broker's own answers come on top of the limit.
    await within(this.#clock, timeoutMs + 1_000, Promise.all(leaving));
    await within(this.#clock, timeoutMs, Promise.all(idle));
  }

  async #attachLater(binding: Binding, session: Session): Promise<void> {
    const since = this.#clock.monotonic();
    let told = false;
    for (let pause = 200; ; pause = Math.min(pause * 2, 5_000)) {
      await this.#clock.sleep(pause, this.#closed);
      if (session.isLost || this.#closed.aborted || !this.#all.has(binding)) return;
      try {
        await binding.attach(session);
        if (!this.#all.has(binding)) await this.#detach(binding, 0);
        return;
      } catch (error) {
        if (told || this.#clock.monotonic() - since < TAKEN_LIMIT_MS) continue;
        told = true;
        this.#log.error('a role cannot be served again after the connection was lost', { reason: messageOf(error) });
      }
    }
  }

  async #detach(binding: Binding, timeoutMs: number): Promise<void> {
    try {
      await binding.detach(timeoutMs);
    } catch (error) {
      // A registration on a connection that breaks meanwhile is gone with it.
      this.#log.debug('a registration ended with its connection', { reason: messageOf(error) });
    }
  }
}
