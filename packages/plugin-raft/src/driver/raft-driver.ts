import {
  Genesis,
  hasCode,
  isItChainError,
  messageOf,
  networkOf,
  sameBytes,
  toHex,
  majorityOf,
  type Cancel,
  type ChainTip,
  type ConsensusStatus,
  type P2p,
  type PeerMessage,
  type PluginContext,
} from '@it-chain/contracts';
import { RAFT_KIND, decodeMessage } from '../machine/messages.js';
import { hasWork, isValidator } from '../machine/state.js';
import type { RaftConfig } from '../raft-config.js';
import { RaftSession, type SessionRoles } from './raft-session.js';

const FOUNDING_RETRY_MS = 200;

/** The edge of the plugin: events of the node, founding, peers. A lost event is made good by the poll. */
export class RaftDriver {
  readonly #context: PluginContext<RaftConfig>;
  readonly #roles: SessionRoles & { readonly p2p: P2p };
  readonly #peers = new Map<string, Uint8Array>();
  readonly #strikes = new Map<string, number>();
  readonly #seen = new Map<string, number>();
  #session: RaftSession | undefined;
  #opening: Promise<void> | undefined;
  #pending = 0;
  #poll: Cancel | undefined;
  #retry: Cancel | undefined;
  #stopped = false;

  constructor(context: PluginContext<RaftConfig>, roles: SessionRoles & { readonly p2p: P2p }) {
    this.#context = context;
    this.#roles = roles;
  }

  /** Begins; waits neither for a peer nor for a network. */
  start(): void {
    this.#open();
    this.#poll = this.#context.clock.every(this.#context.config.pollMs, () => {
      this.#open();
      this.#try('look around', () => this.#lookAround());
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#poll?.();
    this.#retry?.();
    this.#session?.close();
  }

  onFounded(): void {
    this.#open();
  }
  onAccepted(): void {
    this.#session?.accepted();
  }
  onCommitted(height: number): void {
    const session = this.#session;
    if (session !== undefined && height >= session.state.height) this.#try('read the tip', () => session.refresh());
  }

  onConnected(nodeId: string, publicKey: Uint8Array): void {
    if (this.#peers.size >= this.#context.config.limits.maxPeers && !this.#peers.has(nodeId)) return;
    this.#peers.set(nodeId, publicKey);
    this.#session?.input({ type: 'connected', peer: toHex(publicKey) });
    this.#session?.tellWork();
  }

  onDisconnected(nodeId: string): void {
    const publicKey = this.#peers.get(nodeId);
    if (publicKey === undefined) return;
    this.#peers.delete(nodeId);
    this.#strikes.delete(nodeId);
    this.#seen.delete(toHex(publicKey));
    this.#session?.input({ type: 'disconnected', peer: toHex(publicKey) });
    this.#session?.tellWork();
  }

  /** Takes what a peer sent. No byte of it makes this throw. */
  onMessage({ kind, from, publicKey, body }: PeerMessage): void {
    const session = this.#session;
    if (kind !== RAFT_KIND || session === undefined) return;
    if (!this.#peers.has(from)) this.onConnected(from, publicKey);
    this.#seen.set(toHex(publicKey), this.#context.clock.now());
    if (this.#pending >= this.#context.config.limits.maxPending) return;
    this.#pending += 1;
    this.#try('take a message', async () => {
      try {
        const message = decodeMessage(body, toHex(session.network));
        if (message !== undefined && !(await session.receive(publicKey, message))) this.#strike(from);
      } catch (error) {
        if (!isItChainError(error) || !/^ERR_(?:DATA|CERTIFICATE)_/.test(error.code)) throw error;
        this.#strike(from);
      } finally {
        this.#pending -= 1;
      }
    });
  }

  /** `consensus.status`. */
  status(): ConsensusStatus {
    const state = this.#session?.state;
    if (state?.tip === undefined) {
      const waiting = 'this node belongs to no network yet';
      return { height: 0, round: 0, leader: new Uint8Array(0), quorum: 0, validator: false, views: [], waiting };
    }
    const { height, round, leader, members, heights, connected } = state;
    const views = members.map((key) => ({
      publicKey: bytesOf(key),
      height: key === state.options.self ? height : (heights.get(key) ?? 0) + 1,
      round: key === state.options.self ? state.promised : 0,
      seen: this.#seen.get(key) ?? 0,
      present: key === state.options.self || connected.has(key),
    }));
    const base = { height, round, leader: bytesOf(leader), quorum: majorityOf(members.length), views };
    return { ...base, validator: isValidator(state), working: hasWork(state), waiting: waitingFor(state) };
  }

  #open(): void {
    if (this.#opening !== undefined || this.#stopped) return;
    this.#opening = this.#openOnce()
      .catch((error: unknown) => {
        if (hasCode(error, 'ERR_CONSENSUS_LOG_DAMAGED')) this.#context.fatal('damaged', error);
        this.#context.log.debug('could not open the network', { error: messageOf(error) });
      })
      .finally(() => {
        this.#opening = undefined;
      });
  }

  async #openOnce(): Promise<void> {
    const { genesis: encoded } = await this.#roles.p2p.network({});
    if (encoded === undefined) return;
    const genesis = Genesis.decode(encoded);
    const network = networkOf(genesis);
    if (this.#session !== undefined && !this.#session.closed && sameBytes(this.#session.network, network)) return;
    this.#session?.close();
    this.#session = undefined;
    const tip = await this.#tipOf(network);
    if (tip === undefined || this.#stopped) return;
    const session = new RaftSession(this.#context, this.#roles, genesis, network, {
      onWrong: (nodeId) => this.#strike(nodeId),
    });
    await session.open(tip);
    this.#session = session;
    for (const publicKey of this.#peers.values()) session.input({ type: 'connected', peer: toHex(publicKey) });
    await this.#lookAtSessions();
  }

  /** The tip, once the chain has changed over to this network too. */
  async #tipOf(network: Uint8Array): Promise<ChainTip | undefined> {
    try {
      const tip = await this.#roles.chain.tip({});
      if (sameBytes(tip.network, network)) return tip;
    } catch (error) {
      if (!hasCode(error, 'ERR_NETWORK_UNFOUNDED')) throw error;
    }
    this.#retry?.();
    this.#retry = this.#context.clock.after(FOUNDING_RETRY_MS, () => this.#open());
    return undefined;
  }

  async #lookAround(): Promise<void> {
    await this.#lookAtSessions();
    await this.#session?.poll();
  }

  async #lookAtSessions(): Promise<void> {
    const { sessions } = await this.#roles.transport.sessions({});
    const open = new Set(sessions.map(({ nodeId }) => nodeId));
    for (const nodeId of [...this.#peers.keys()]) if (!open.has(nodeId)) this.onDisconnected(nodeId);
    for (const { nodeId, publicKey } of sessions) if (!this.#peers.has(nodeId)) this.onConnected(nodeId, publicKey);
  }

  /** A message that no correct node sends; with the last of them the session ends. */
  #strike(nodeId: string): void {
    const strikes = (this.#strikes.get(nodeId) ?? 0) + 1;
    this.#strikes.set(nodeId, strikes);
    if (strikes < this.#context.config.limits.maxStrikes) return;
    this.#strikes.delete(nodeId);
    const code = 'ERR_CONSENSUS_PEER_MISBEHAVED';
    this.#context.log.warn('a peer misbehaves; its session is closed', { peer: nodeId, code });
    const reason = 'messages that cannot be read or verified';
    this.#try('disconnect a peer', () => this.#roles.transport.disconnect({ nodeId, code, reason }));
  }

  #try(what: string, run: () => Promise<unknown>): void {
    run().catch((error: unknown) => {
      if (!this.#stopped) this.#context.log.debug(`could not ${what}`, { error: messageOf(error) });
    });
  }
}

/** Why nothing is decided, in one sentence; empty when idle or moving. */
function waitingFor({ members, connected, options, majority, part, pooled }: RaftSession['state']): string {
  const there = members.filter((key) => key === options.self || connected.has(key)).length;
  if (there < majority) return `only ${there} of ${members.length} validators are connected; ${majority} must be`;
  if (part.as === 'pre-candidate' || part.as === 'candidate')
    return 'the leader is silent; another one is being elected';
  return pooled && part.as === 'leader' && part.acks.size > 0
    ? `${part.acks.size} of ${majority} have accepted the block`
    : '';
}

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
