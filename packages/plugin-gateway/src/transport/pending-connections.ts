import type { Clock } from '@it-chain/contracts';
import { isLoopback } from './address.js';
import type { PeerLimits } from './peers-config.js';

/** A connection whose other end has proved nothing. */
export interface PendingConnection {
  readonly remote: string;
  /** Its streams are open: the handshake has a limit of its own. */
  linked(): void;
  /** It is proved, or over. */
  done(): void;
}

interface Destroyable {
  destroy(): unknown;
}

/**
 * Bounds what strangers hold: number, number per address, time. When full, the oldest goes: a handshake takes
 * milliseconds, so whoever holds connections open without finishing loses them first and honest nodes get in.
 */
export class PendingConnections {
  readonly #limits: Pick<PeerLimits, 'pending' | 'pendingPerAddress' | 'handshakeMs'>;
  readonly #clock: Clock;
  readonly #entries = new Set<{ readonly socket: Destroyable; readonly remote: string; linked: boolean }>();

  constructor(limits: Pick<PeerLimits, 'pending' | 'pendingPerAddress' | 'handshakeMs'>, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Notes a new connection; undefined where its address has too many. */
  add(socket: Destroyable, remote: string): PendingConnection | undefined {
    if (!isLoopback(remote)) {
      const same = [...this.#entries].filter((entry) => entry.remote === remote).length;
      if (same >= this.#limits.pendingPerAddress) return undefined;
    }
    if (this.#entries.size >= this.#limits.pending) {
      const [oldest] = this.#entries;
      if (oldest !== undefined) {
        this.#entries.delete(oldest);
        oldest.socket.destroy();
      }
    }
    const entry = { socket, remote, linked: false };
    this.#entries.add(entry);
    const cancel = this.#clock.after(this.#limits.handshakeMs, () => {
      this.#entries.delete(entry);
      socket.destroy();
    });
    return {
      remote,
      linked: () => {
        cancel();
        entry.linked = true;
      },
      done: () => {
        cancel();
        this.#entries.delete(entry);
      },
    };
  }

  /** Closes those without streams; to the others somebody can still say goodbye. */
  destroy(): void {
    for (const { socket, linked } of this.#entries) if (!linked) socket.destroy();
    this.#entries.clear();
  }
}
