import {
  failure,
  Transport,
  type Clock,
  type Hello,
  type NoticeDefinition,
  type PluginContext,
  type Session,
} from '@it-chain/contracts';
import type { EndIdentity, OpenSession, Wires } from './wire.js';

const FETCH_TIMEOUT_MS = 5_000;

interface WaitingFetch {
  readonly to: number;
  settle(outcome: { readonly body: Uint8Array } | { readonly error: Error }): void;
}

/** The gateway of one life of a node: it serves the transport role over the switchboard. */
export class SimulatedEnd {
  readonly #sessions = new Map<number, { readonly end: SimulatedEnd; readonly open: OpenSession }>();
  readonly #fetches = new Map<string, WaitingFetch>();
  readonly #asked = new Map<string, { readonly from: SimulatedEnd; readonly id: string }>();
  #hello: Hello = {
    network: undefined,
    genesis: EMPTY,
    height: 0,
    name: '',
    addresses: [],
    candidate: EMPTY,
    leader: EMPTY,
  };
  #count = 0;

  constructor(
    readonly self: EndIdentity,
    readonly clock: Clock,
    readonly board: Wires<SimulatedEnd>,
    readonly context: Pick<PluginContext, 'emit'>,
  ) {}

  get peers(): number[] {
    return [...this.#sessions.keys()];
  }

  session(peer: number): OpenSession | undefined {
    return this.#sessions.get(peer)?.open;
  }

  opened(end: SimulatedEnd, inbound: boolean): void {
    const open = { inbound, since: this.clock.now(), lanes: new Map<string, number>() };
    this.#sessions.set(end.self.index, { end, open });
    this.#tell(Transport.events.connected, this.#describe(end, open));
  }

  /** Ends the session to a peer, if it is still with that life of it. */
  close(peer: number, end: SimulatedEnd, code = 'ERR_PEER_LOST', reason = 'the connection broke'): void {
    if (this.#sessions.get(peer)?.end !== end) return;
    this.#sessions.delete(peer);
    for (const [id, fetch] of this.#fetches) {
      if (fetch.to !== peer) continue;
      this.#fetches.delete(id);
      fetch.settle({ error: failure('ERR_PEER_LOST', 'the session ended before the answer', { retryable: true }) });
    }
    this.#tell(Transport.events.disconnected, { nodeId: end.self.nodeId, code, reason });
    end.close(this.self.index, this, code, reason);
  }

  /** The role. */
  serve(): Transport {
    return {
      announce: async ({ hello }) => {
        this.#hello = hello;
        return {};
      },
      dial: ({ address }) => this.#dial(address),
      disconnect: async ({ nodeId, code, reason }) => {
        const found = this.#find(nodeId);
        this.close(found.end.self.index, found.end, code, reason);
        return {};
      },
      deliver: async ({ peers, kind, body, lane }) => this.#deliver(peers, kind, body, lane),
      fetch: ({ peer, kind, body }) => this.#fetch(peer, kind, body),
      answer: async ({ requestId, body, errorCode, errorMessage }) => {
        const asked = this.#asked.get(requestId);
        this.#asked.delete(requestId);
        if (asked === undefined) return {};
        const error = errorCode === '' ? undefined : failure(errorCode as 'ERR_PEER_BUSY', errorMessage);
        this.board.carry(this, asked.from.self.index, 'bulk', (end) => {
          end.answered(asked.id, error === undefined ? { body } : { error });
        });
        return {};
      },
      sessions: async () => ({
        sessions: [...this.#sessions.values()].map(({ end, open }) => this.#describe(end, open)),
      }),
      status: async () => {
        const address = `node-${this.self.index}:7000`;
        return { listening: address, advertised: address, insecure: false };
      },
    };
  }

  answered(id: string, outcome: { readonly body: Uint8Array } | { readonly error: Error }): void {
    const waiting = this.#fetches.get(id);
    this.#fetches.delete(id);
    waiting?.settle(outcome);
  }

  asked(from: SimulatedEnd, id: string, kind: string, body: Uint8Array): void {
    const requestId = `${from.self.index}/${id}`;
    this.#asked.set(requestId, { from, id });
    const { nodeId, publicKey } = from.self;
    this.#tell(Transport.events.asked, { from: nodeId, publicKey, requestId, kind, body });
  }

  heard(from: SimulatedEnd, kind: string, body: Uint8Array): void {
    const { nodeId, publicKey } = from.self;
    this.#tell(Transport.events.received, { from: nodeId, publicKey, kind, body });
  }

  async #dial(address: string): Promise<Session> {
    const match = /^(?:([^@]+)@)?node-(\d+):7000$/.exec(address);
    const to = Number(match?.[2] ?? -1);
    if (to === this.self.index) throw failure('ERR_PEER_SELF', `${address} is this node`);
    await this.board.open(this, to);
    const found = this.#sessions.get(to);
    if (found === undefined)
      throw failure('ERR_PEER_UNREACHABLE', `the session to ${address} ended`, { retryable: true });
    return this.#describe(found.end, found.open);
  }

  #deliver(peers: readonly string[], kind: string, body: Uint8Array, lane: string): { readonly peers: number } {
    const targets =
      peers.length === 0 ? this.peers : peers.flatMap((nodeId) => this.#tryFind(nodeId)?.end.self.index ?? []);
    if (targets.length > 0) this.board.onSaid(kind, body);
    for (const to of targets) this.board.carry(this, to, lane, (end) => end.heard(this, kind, body));
    return { peers: targets.length };
  }

  #fetch(peer: string, kind: string, body: Uint8Array): Promise<{ readonly body: Uint8Array }> {
    const { end } = this.#find(peer);
    const id = String((this.#count += 1));
    return new Promise((resolve, reject) => {
      const cancel = this.clock.after(FETCH_TIMEOUT_MS, () => {
        this.answered(id, { error: failure('ERR_PEER_NO_ANSWER', `${peer} did not answer`, { retryable: true }) });
      });
      this.#fetches.set(id, {
        to: end.self.index,
        settle: (outcome) => {
          cancel();
          if ('body' in outcome) resolve(outcome);
          else reject(outcome.error);
        },
      });
      this.board.carry(this, end.self.index, 'bulk', (other) => other.asked(this, id, kind, body));
    });
  }

  #tryFind(nodeId: string): { readonly end: SimulatedEnd; readonly open: OpenSession } | undefined {
    return [...this.#sessions.values()].find(({ end }) => end.self.nodeId === nodeId);
  }

  #find(nodeId: string): { readonly end: SimulatedEnd; readonly open: OpenSession } {
    const found = this.#tryFind(nodeId);
    if (found !== undefined) return found;
    throw failure('ERR_PEER_NOT_CONNECTED', `there is no session to ${nodeId}`, { retryable: true });
  }

  #describe(end: SimulatedEnd, { inbound, since }: OpenSession): Session {
    const { nodeId, publicKey, index } = end.self;
    const direction = inbound ? 'inbound' : 'outbound';
    return { nodeId, publicKey, address: `node-${index}:7000`, direction, since, hello: end.#hello };
  }

  #tell<B>(notice: NoticeDefinition<B>, body: B): void {
    void this.context.emit(notice, body);
  }
}

const EMPTY = new Uint8Array(0);
