import { toHex, type Clock, type Transport } from '@it-chain/contracts';
import type { Input } from '../machine/interface.js';
import { isValidator, leaderAt, type State } from '../machine/state.js';

/** What the sessions are followed with. */
export interface PeerSessionsDependencies {
  readonly clock: Clock;
  readonly transport: Transport;
  /** The machine of the open network, if there is one. */
  readonly state: () => State | undefined;
  readonly input: (input: Input) => void;
}

/** Who is connected, when each peer was heard last, and since when a validator has been missing. */
export class PeerSessions {
  readonly #maxPeers: number;
  readonly #baseTimeoutMs: number;
  readonly #with: PeerSessionsDependencies;
  readonly #peers = new Map<string, Uint8Array>();
  /** ms since the epoch of the last message, by public key in hex. */
  readonly seen = new Map<string, number>();
  /** Since when, in monotonic ms, a validator has had no session. */
  readonly down = new Map<string, number>();

  constructor(
    options: { readonly maxPeers: number; readonly baseTimeoutMs: number },
    dependencies: PeerSessionsDependencies,
  ) {
    this.#maxPeers = options.maxPeers;
    this.#baseTimeoutMs = options.baseTimeoutMs;
    this.#with = dependencies;
  }

  has(nodeId: string): boolean {
    return this.#peers.has(nodeId);
  }

  /** A message came. A lost `peer.connected` is made good by the first one. */
  onHeard(nodeId: string, publicKey: Uint8Array): void {
    if (!this.#peers.has(nodeId)) this.onConnected(nodeId, publicKey);
    this.seen.set(toHex(publicKey), this.#with.clock.now());
  }

  onConnected(nodeId: string, publicKey: Uint8Array): void {
    if (this.#peers.size >= this.#maxPeers && !this.#peers.has(nodeId)) return;
    this.#peers.set(nodeId, publicKey);
    this.down.delete(toHex(publicKey));
    this.#with.input({ type: 'connected', peer: publicKey });
  }

  onDisconnected(nodeId: string): void {
    const publicKey = this.#peers.get(nodeId);
    if (publicKey === undefined) return;
    this.#peers.delete(nodeId);
    this.#with.input({ type: 'disconnected', peer: publicKey });
  }

  /** Compares with what the transport says: an event may have been lost. */
  async look(): Promise<void> {
    const { sessions } = await this.#with.transport.sessions({});
    const open = new Set(sessions.map(({ nodeId }) => nodeId));
    for (const nodeId of [...this.#peers.keys()]) if (!open.has(nodeId)) this.onDisconnected(nodeId);
    // Of a validator that is missing it is still told when it was heard last.
    const members = this.#with.state()?.members;
    const connected = new Set([...this.#peers.values()].map(toHex));
    for (const key of this.seen.keys()) {
      if (!connected.has(key) && members?.index.has(key) !== true) this.seen.delete(key);
    }
    for (const { nodeId, publicKey } of sessions) {
      // Told again after founding: a new machine knows nobody yet.
      if (!this.#peers.has(nodeId) || this.#with.state()?.connected.has(toHex(publicKey)) === false) {
        this.onConnected(nodeId, publicKey);
      }
    }
  }

  /** The session to leader(tip + 1, 0) has been down for 2 * T0, as far as this node knows. */
  isLeaderDown(state: State): boolean {
    const leader = leaderAt(state, 0);
    const now = this.#with.clock.monotonic();
    for (const key of this.down.keys()) if (!state.members.index.has(key)) this.down.delete(key);
    for (const key of state.members.keys) {
      if (key === state.selfKey || state.connected.has(key)) this.down.delete(key);
      else if (!this.down.has(key)) this.down.set(key, now);
    }
    const since = this.down.get(leader);
    return isValidator(state) && since !== undefined && now - since >= 2 * this.#baseTimeoutMs;
  }

  /** Whom to sync from, the highest first. */
  sources(state: State, isBanned: (nodeId: string) => boolean): { nodeId: string; height: number }[] {
    return [...this.#peers]
      .map(([nodeId, key]) => ({ nodeId, height: state.peers.get(toHex(key))?.height ?? 0 }))
      .filter(({ nodeId }) => !isBanned(nodeId))
      .sort((a, b) => b.height - a.height);
  }
}
