import type { PeerSession } from './peer-session.js';

/** The open sessions: at most one per node. */
export class SessionTable {
  readonly #byNode = new Map<string, PeerSession>();
  readonly #byNumber = new Map<number, PeerSession>();
  readonly #waiters = new Map<string, Set<(session: PeerSession) => void>>();

  /** Adds a session. The one before of the same node must be closed by then. */
  add(session: PeerSession): void {
    this.#byNode.set(session.nodeId, session);
    this.#byNumber.set(session.number, session);
    const waiters = this.#waiters.get(session.nodeId) ?? [];
    this.#waiters.delete(session.nodeId);
    for (const waiter of waiters) waiter(session);
  }

  /** Removes a session, but never a newer one of the same node. */
  remove(session: PeerSession): void {
    this.#byNumber.delete(session.number);
    if (this.#byNode.get(session.nodeId) === session) this.#byNode.delete(session.nodeId);
  }

  get(nodeId: string): PeerSession | undefined {
    return this.#byNode.get(nodeId);
  }

  byNumber(number: number): PeerSession | undefined {
    return this.#byNumber.get(number);
  }

  all(): PeerSession[] {
    return [...this.#byNode.values()];
  }

  count(direction: 'inbound' | 'outbound'): number {
    return this.all().filter((session) => session.facts.direction === direction).length;
  }

  /** Calls back with the session of a node, now or when there is one; the result gives up. */
  whenOpen(nodeId: string, run: (session: PeerSession) => void): () => void {
    const session = this.get(nodeId);
    if (session !== undefined) {
      run(session);
      return () => undefined;
    }
    const waiters = this.#waiters.get(nodeId) ?? new Set();
    this.#waiters.set(nodeId, waiters.add(run));
    return () => {
      waiters.delete(run);
      if (waiters.size === 0 && this.#waiters.get(nodeId) === waiters) this.#waiters.delete(nodeId);
    };
  }
}
