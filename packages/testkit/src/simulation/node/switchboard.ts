import { failure } from '@it-chain/contracts';
import type { EventQueue } from '../event-queue.js';
import type { Links } from '../links.js';
import type { Random } from '../random.js';
import type { SimulatedEnd } from './simulated-end.js';

/** A session over a cut link is noticed to be dead after so many ms. */
const SESSION_TIMEOUT_MS = 2_000;

/** Who looks on, and who decides which sessions there may be. */
export interface BoardWatch {
  onSaid(kind: string, body: Uint8Array): void;
  mayMeet(a: number, b: number): boolean;
}

/** The wires between simulated gateways. Sessions, not packets: order within a lane holds, and a session can break. */
export class Switchboard {
  readonly #ends = new Map<number, SimulatedEnd>();
  /** Messages that were handed to a session. */
  messages = 0;

  constructor(
    readonly queue: EventQueue,
    readonly links: Links,
    readonly watch: BoardWatch,
  ) {}

  /** Tells who watches that something is said to peers. */
  onSaid(kind: string, body: Uint8Array): void {
    this.watch.onSaid(kind, body);
  }

  attach(end: SimulatedEnd): void {
    this.#ends.set(end.self.index, end);
  }

  /** A node is gone: its peers see the session end after a moment, or only after the timeout where the link is cut. */
  detach(index: number): void {
    const gone = this.#ends.get(index);
    if (gone === undefined) return;
    this.#ends.delete(index);
    for (const peer of gone.peers) {
      const other = this.#ends.get(peer);
      const delay = this.#isCut(index, peer) ? SESSION_TIMEOUT_MS : 5;
      if (other !== undefined) this.queue.after(delay, () => other.close(index, gone));
    }
  }

  end(index: number): SimulatedEnd | undefined {
    return this.#ends.get(index);
  }

  endOf(nodeId: string): SimulatedEnd | undefined {
    return [...this.#ends.values()].find(({ self }) => self.nodeId === nodeId);
  }

  #isCut(a: number, b: number): boolean {
    return this.links.isCut(a, b) || this.links.isCut(b, a);
  }

  /** Ends what has stood over a cut link for too long. Called after each change of the links. */
  noticeCuts(): void {
    for (const end of this.#ends.values()) {
      for (const peer of end.peers) {
        if (!this.#isCut(end.self.index, peer)) continue;
        const other = this.#ends.get(peer);
        this.queue.after(SESSION_TIMEOUT_MS, () => {
          if (other !== undefined && this.#isCut(end.self.index, peer)) end.close(peer, other);
        });
      }
    }
  }

  /** Ends sessions that there may be no longer. */
  breakForbidden(): void {
    for (const end of this.#ends.values()) {
      for (const peer of end.peers) {
        const other = this.#ends.get(peer);
        if (other !== undefined && !this.watch.mayMeet(end.self.index, peer)) end.close(peer, other);
      }
    }
  }

  /** Sessions over cut links are noticed to be dead at once; where no link is cut, one that is open breaks. */
  breakSessions(random: Random): void {
    const open = [...this.#ends.values()].flatMap((end) =>
      end.peers.flatMap((peer) => {
        const other = this.#ends.get(peer);
        return other === undefined ? [] : [{ end, peer, other }];
      }),
    );
    const dead = open.filter(({ end, peer }) => this.#isCut(end.self.index, peer));
    const broken = dead.length > 0 || open.length === 0 ? dead : [random.pick(open)];
    for (const { end, peer, other } of broken) end.close(peer, other);
  }

  /** Opens a session between two nodes, or finds it. */
  async open(from: SimulatedEnd, to: number): Promise<void> {
    if (!this.watch.mayMeet(from.self.index, to)) {
      // As gateways have it: one session with each key, whoever has it first.
      throw failure('ERR_PEER_DUPLICATE', `there is a session with the key of node-${to}:7000 already`);
    }
    const [delay] = this.links.plan(from.self.index, to);
    const other = this.#ends.get(to);
    if (delay === undefined || this.#isCut(from.self.index, to) || other === undefined) {
      await from.clock.sleep(50);
      throw failure('ERR_PEER_UNREACHABLE', `nobody answers at node-${to}:7000`, { retryable: true });
    }
    await from.clock.sleep(2 * delay);
    if (this.#ends.get(to) !== other || this.#ends.get(from.self.index) !== from) {
      throw failure('ERR_PEER_UNREACHABLE', `the session to node-${to}:7000 did not come about`, { retryable: true });
    }
    if (from.peers.includes(to) && other.peers.includes(from.self.index)) return;
    from.opened(other, false);
    other.opened(from, true);
  }

  /** Brings something over a session, in the order of its lane; lost where the link loses it. */
  carry(from: SimulatedEnd, to: number, lane: string, arrive: (end: SimulatedEnd) => void): void {
    this.messages += 1;
    const other = this.#ends.get(to);
    const session = from.session(to);
    const [delay] = this.links.plan(from.self.index, to);
    if (other === undefined || session === undefined || delay === undefined) return;
    const at = Math.max(session.lanes.get(lane) ?? 0, this.queue.now + delay + other.self.time.slowMs);
    session.lanes.set(lane, at);
    this.queue.after(at - this.queue.now, () => {
      if (this.#ends.get(to) === other && other.peers.includes(from.self.index)) arrive(other);
    });
  }
}
