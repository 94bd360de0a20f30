import { failure, hasCode, type Clock } from '@it-chain/contracts';
import type { ControlReader } from './control-reader.js';
import { expectContent, type Proven } from './handshake.js';
import type { PeerLink } from './peer-link.js';
import type { PeerSession } from './peer-session.js';
import type { SessionTable } from './session-table.js';

export interface AdmissionDependencies {
  readonly ownId: string;
  readonly probeMs: number;
  readonly clock: Clock;
  readonly table: SessionTable;
  /** Throws where there is no room for one more session of this direction, or the node is stopping. */
  room(direction: 'inbound' | 'outbound'): void;
  /** Makes the session of a proved connection and puts it into the table. */
  open(link: PeerLink, proven: Proven): PeerSession;
}

/**
 * Keeps one session per pair. Of the two nodes the one with the lower id decides, one connection after the other: a
 * session that is open and answers a ping stays, one that does not gives way to the new connection. The other node
 * follows, so both end with the same one whoever dialled when.
 */
export class Admission {
  readonly #deps: AdmissionDependencies;
  readonly #deciding = new Map<string, Promise<unknown>>();

  constructor(dependencies: AdmissionDependencies) {
    this.#deps = dependencies;
  }

  /**
   * The session of the pair: of this connection, or, where this node dialled and another one won, that one.
   * @throws ERR_PEER_DUPLICATE, ERR_PEER_LIMIT, ERR_PEER_STOPPING, ERR_PEER_LOST, ERR_PEER_TIMEOUT, what the peer said
   */
  async admit(link: PeerLink, reader: ControlReader, proven: Proven): Promise<PeerSession> {
    const { nodeId } = proven;
    if (this.#deps.table.get(nodeId) === undefined) this.#deps.room(link.direction);
    try {
      return this.#deps.ownId < nodeId
        ? await this.#inTurn(nodeId, () => this.#decide(link, reader, proven))
        : await this.#follow(link, reader, proven);
    } catch (error) {
      if (link.direction === 'inbound' || !hasCode(error, 'ERR_PEER_DUPLICATE')) throw error;
      return this.#other(link, nodeId, error);
    }
  }

  async #decide(link: PeerLink, reader: ControlReader, proven: Proven): Promise<PeerSession> {
    const existing = this.#deps.table.get(proven.nodeId);
    if (existing !== undefined) {
      if (await existing.probe(this.#deps.probeMs)) {
        throw failure('ERR_PEER_DUPLICATE', `there is a session to ${proven.nodeId} already`);
      }
      existing.close('ERR_PEER_REPLACED', 'a newer connection takes its place');
    }
    this.#deps.room(link.direction);
    if (link.destroyed)
      throw failure('ERR_PEER_LOST', 'the connection ended before it was admitted', { retryable: true });
    link.send({ admit: {} });
    reader.release();
    return this.#deps.open(link, proven);
  }

  async #follow(link: PeerLink, reader: ControlReader, proven: Proven): Promise<PeerSession> {
    expectContent(await reader.next(), 'admit');
    reader.release();
    this.#deps.table.get(proven.nodeId)?.close('ERR_PEER_REPLACED', 'a newer connection takes its place');
    this.#deps.room(link.direction);
    return this.#deps.open(link, proven);
  }

  /** The session that won over this dial; it may open a moment later. */
  #other(link: PeerLink, nodeId: string, error: Error): Promise<PeerSession> {
    link.leave({ code: 'ERR_PEER_DUPLICATE', reason: 'there is a session already' });
    return new Promise((resolve, reject) => {
      const cancel = this.#deps.clock.after(this.#deps.probeMs, () => {
        giveUp();
        reject(error);
      });
      const giveUp = this.#deps.table.whenOpen(nodeId, (session) => {
        cancel();
        resolve(session);
      });
    });
  }

  #inTurn<T>(nodeId: string, run: () => Promise<T>): Promise<T> {
    const turn = (this.#deciding.get(nodeId) ?? Promise.resolve()).then(run);
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#deciding.set(nodeId, settled);
    void settled.then(() => {
      if (this.#deciding.get(nodeId) === settled) this.#deciding.delete(nodeId);
    });
    return turn;
  }
}
