import {
  hasCode,
  messageOf,
  type Cancel,
  type Clock,
  type Log,
  type Session,
  type Transport,
} from '@it-chain/contracts';
import { dialPause, type DialPauseOptions } from './dial-pause.js';
import type { PeerTable } from './peer-table.js';

/** How the dialer works. */
export interface DialerOptions extends DialPauseOptions {
  /** Addresses of the config, `[NODEID@]HOST:PORT`. */
  readonly dial: readonly string[];
  /** Longest pause between two dials of a validator or learner, in ms. */
  readonly maxMemberPauseMs: number;
  readonly refusedPauseMs: number;
  readonly maxConnections: number;
}

/** What the dialer needs around it. */
export interface DialerDependencies {
  readonly clock: Clock;
  readonly log: Log;
  readonly table: PeerTable;
  readonly transport: Transport;
  /** A random number from 0 up to 1. */
  readonly random: () => number;
  /** Told of every session that a dial brought. */
  readonly connected: (session: Session) => Promise<void>;
}

interface Target {
  failures: number;
  /** Monotonic time from which it may be dialled. */
  next: number;
  busy: boolean;
  /** It belongs elsewhere: that others can be reached again says nothing of it. */
  refused: boolean;
  /** Whom a configured address turned out to be. */
  nodeId: string | undefined;
}

const TICK_MS = 250;
const MAX_AT_ONCE = 8;
/** Peers that operators disconnected and that are remembered. */
const MAX_LEFT = 1_000;
/** A stranger that did not answer so often in a row is forgotten. */
const MAX_STRANGER_FAILURES = 12;

/** Keeps sessions to the configured and the known peers: dials, and dials again with growing pauses. */
export class Dialer {
  readonly #options: DialerOptions;
  readonly #dependencies: DialerDependencies;
  readonly #targets = new Map<string, Target>();
  readonly #places: ReadonlySet<string>;
  readonly #left = new Set<string>();
  #cancel: Cancel | undefined;
  #busy = 0;

  constructor(options: DialerOptions, dependencies: DialerDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#places = new Set(options.dial.map(placeOf));
  }

  start(): void {
    this.#cancel ??= this.#dependencies.clock.every(TICK_MS, () => {
      this.#tick();
    });
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** A session ended: the peer is not dialled again before the shortest pause. */
  disconnected(nodeId: string): void {
    for (const target of this.#targets.values()) {
      if (target.nodeId !== nodeId) continue;
      target.next = Math.max(target.next, this.#now() + this.#pause(target, 0));
    }
  }

  /** An operator ended the session: the peer is not dialled until somebody connects again. */
  leave(nodeId: string): void {
    this.#left.add(nodeId);
    if (this.#left.size <= MAX_LEFT) return;
    for (const oldest of this.#left) {
      this.#left.delete(oldest);
      return;
    }
  }

  /**
   * A session is open: the peer counts as wanted again. One that could not be reached before shows that a way is there
   * again, so nobody waits out the long pause that grew while it was not.
   */
  connected(nodeId: string): void {
    this.#left.delete(nodeId);
    const targets = [...this.#targets.values()];
    const back = targets.filter((target) => target.nodeId === nodeId && target.failures > 0);
    for (const target of back) target.failures = 0;
    if (back.length === 0) return;
    for (const target of targets) {
      if (!target.refused) target.next = Math.min(target.next, this.#now() + this.#pause(target, 1));
    }
  }

  /** A peer of another network: it is left alone for long. */
  refused(nodeId: string): void {
    const next = this.#now() + this.#options.refusedPauseMs;
    const row = this.#dependencies.table.get(nodeId);
    if (row !== undefined && row.address !== '') this.#target(row.address).nodeId = nodeId;
    for (const target of this.#targets.values()) {
      if (target.nodeId === nodeId) Object.assign(target, { next, refused: true });
    }
  }

  #tick(): void {
    const { table } = this.#dependencies;
    for (const address of this.#options.dial) {
      const target = this.#target(address);
      const nodeId = target.nodeId ?? (address.includes('@') ? address.slice(0, address.indexOf('@')) : undefined);
      if (nodeId !== undefined && (this.#left.has(nodeId) || table.get(nodeId)?.session !== undefined)) continue;
      this.#try(address, target);
    }
    const rows = table.all();
    let connected = rows.filter(({ session }) => session !== undefined).length;
    // Members first: strangers only where there is room left. Among equals who has waited longest: there are more dead
    // peers than dials at once, and each has its turn.
    const missing = rows
      .filter(({ session, address, nodeId }) => session === undefined && address !== '' && !this.#left.has(nodeId))
      .map(({ nodeId, address, role }) => ({ nodeId, address, role, target: this.#target(address) }))
      .sort((a, b) => rank(b.role) - rank(a.role) || a.target.next - b.target.next);
    for (const { nodeId, address, target } of missing) {
      if (connected >= this.#options.maxConnections) break;
      target.nodeId = nodeId;
      if (this.#try(`${nodeId}@${address}`, target)) connected += 1;
    }
    this.#forgetTargets(new Set([...this.#options.dial, ...rows.map(({ address }) => address)].map(placeOf)));
  }

  /** True where a dial is under way now. */
  #try(address: string, target: Target): boolean {
    if (target.busy) return true;
    if (this.#busy >= MAX_AT_ONCE || target.next > this.#now()) return false;
    target.busy = true;
    this.#busy += 1;
    void this.#dial(address, target).finally(() => {
      target.busy = false;
      this.#busy -= 1;
    });
    return true;
  }

  async #dial(address: string, target: Target): Promise<void> {
    const { transport, connected, log, table } = this.#dependencies;
    const configured = this.#places.has(placeOf(address));
    try {
      const session = await transport.dial({ address });
      target.nodeId = session.nodeId;
      target.refused = false;
      this.connected(session.nodeId);
      target.next = this.#now() + this.#pause(target, 0);
      await connected(session);
    } catch (error) {
      target.failures += 1;
      target.refused =
        hasCode(error, 'ERR_PEER_SELF') ||
        hasCode(error, 'ERR_DIFFERENT_NETWORK') ||
        hasCode(error, 'ERR_NETWORK_RECOVERED') ||
        hasCode(error, 'ERR_NETWORK_PINNED');
      target.next =
        this.#now() + (target.refused ? this.#options.refusedPauseMs : this.#pause(target, target.failures));
      const facts = { address, failures: target.failures, reason: messageOf(error) };
      if (configured && (target.failures === 1 || target.failures % 20 === 0))
        log.warn('a peer cannot be dialled', facts);
      else log.debug('a peer cannot be dialled', facts);
      if (!configured && target.failures >= MAX_STRANGER_FAILURES && target.nodeId !== undefined) {
        table.forget(target.nodeId);
      }
    }
  }

  /** One target for each place, however it is named, so that no place is dialled twice at once. */
  #target(address: string): Target {
    const place = placeOf(address);
    let target = this.#targets.get(place);
    if (target === undefined) {
      target = { failures: 0, next: 0, busy: false, refused: false, nodeId: undefined };
      this.#targets.set(place, target);
    }
    return target;
  }

  #forgetTargets(wanted: ReadonlySet<string>): void {
    for (const place of this.#targets.keys()) if (!wanted.has(place)) this.#targets.delete(place);
  }

  /** A member is dialled again soon: consensus waits for it, and members are few. */
  #pause({ nodeId }: Target, failures: number): number {
    const { minPauseMs, maxPauseMs, maxMemberPauseMs } = this.#options;
    const role = nodeId === undefined ? undefined : this.#dependencies.table.get(nodeId)?.role;
    const limit = rank(role ?? '') > 0 ? Math.min(maxMemberPauseMs, maxPauseMs) : maxPauseMs;
    return dialPause(failures, this.#dependencies.random(), { minPauseMs, maxPauseMs: limit });
  }

  #now(): number {
    return this.#dependencies.clock.monotonic();
  }
}

const rank = (role: string): number => (role === 'validator' ? 2 : role === 'learner' ? 1 : 0);

/** The address without the node id in front. */
const placeOf = (address: string): string => address.slice(address.indexOf('@') + 1);
