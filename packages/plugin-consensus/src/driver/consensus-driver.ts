import {
  Genesis,
  PEER_KINDS,
  equivocation,
  hasCode,
  messageOf,
  networkOf,
  nodeIdOf,
  sameBytes,
  type Cancel,
  type ChainTip,
  type ConsensusStatus,
  type KeptEvidenceList,
  type PeerMessage,
  type PluginContext,
} from '@it-chain/contracts';
import type { ConsensusConfig } from '../config.js';
import type { Effect, Input } from '../machine/interface.js';
import { step } from '../machine/machine.js';
import { encodeMessage, type ConsensusMessage } from '../machine/messages.js';
import { tellEvidence, tellRound } from './announce.js';
import { Auditor } from './auditor.js';
import { violation } from './block-sync.js';
import { BlockWork } from './block-work.js';
import { describeStatus } from './describe-status.js';
import { PeerSessions } from './peer-sessions.js';
import { acceptsRisk, openSession, type ConsensusRoles, type Session } from './session.js';
import { QuorumWatch } from './quorum-watch.js';
import { Silence } from './silence.js';
import { VoteLog } from './wal.js';

/** Bytes of blocks that are sent to a peer that is behind at a time: half of its send budget must stay free for votes. */
const DECIDED_BYTES = 2 * 1024 * 1024;
/** Where p2p or the chain does not serve yet, which at the start of a node is a matter of its plugins' order. */
const OPEN_RETRY_MS = 100;

/**
 * The edge of the machine: turns what happens on the node into inputs and effects into calls. Nothing here decides; a
 * lost event is made good by the poll, and no failure of another plugin ends it.
 */
export class ConsensusDriver {
  readonly #config: ConsensusConfig;
  readonly #context: PluginContext<ConsensusConfig>;
  readonly #roles: ConsensusRoles;
  readonly #sessions: PeerSessions;
  readonly #auditor: Auditor;
  readonly #silence: Silence;
  readonly #quorum: QuorumWatch;
  readonly #work: BlockWork;
  #pollTimer: Cancel | undefined;
  #retry: Cancel | undefined;
  /** The height that is open, and since when, in ms since the epoch. */
  #entered = { height: 0, at: 0 };
  #session: Session | undefined;
  #opening = false;
  #openAgain = false;
  #asksPool = false;
  #asksAgain = false;
  #stopped = false;

  constructor(context: PluginContext<ConsensusConfig>, roles: ConsensusRoles) {
    this.#config = context.config;
    this.#context = context;
    this.#roles = roles;
    const { baseTimeoutMs, limits } = context.config;
    this.#sessions = new PeerSessions(
      { maxPeers: limits.maxPeers, baseTimeoutMs },
      {
        clock: context.clock,
        transport: roles.transport,
        state: () => this.#session?.state,
        input: (input) => this.#input(input),
      },
    );
    this.#silence = new Silence(context);
    this.#quorum = new QuorumWatch(context.log);
    this.#work = new BlockWork({ chain: roles.chain, context, input: (input, session) => this.#input(input, session) });
    this.#auditor = new Auditor({ chain: roles.chain, fatal: (kind, error) => context.fatal(kind, error) });
  }

  /** Begins; waits neither for a peer nor for a network. */
  start(): void {
    this.#open();
    this.#pollTimer = this.#context.clock.every(this.#config.pollMs, () => this.#poll());
  }

  // Asked through a method: it may change while something is awaited.
  #isStopped(): boolean {
    return this.#stopped;
  }

  stop(): void {
    this.#stopped = true;
    this.#pollTimer?.();
    this.#retry?.();
    this.#close();
  }

  /** `consensus.status`. */
  status(): ConsensusStatus {
    const { clock } = this.#context;
    const { seen, down } = this.#sessions;
    return describeStatus(this.#session, { clock, seen, down, entered: this.#entered.at });
  }

  /** `consensus.evidence`. */
  evidence(): KeptEvidenceList {
    return { entries: this.#session?.evidence.list() ?? [] };
  }

  /** Notes when a height was entered. */
  #noteHeight({ state }: Session): void {
    if (state.height !== this.#entered.height) {
      this.#entered = { height: state.height, at: this.#context.clock.now() };
    }
  }

  // ---- what happens on the node

  onFounded(): void {
    this.#open();
  }

  onMessage(message: PeerMessage): void {
    if (message.kind !== PEER_KINDS.consensus) return;
    this.#sessions.onHeard(message.from, message.publicKey);
    this.#session?.inbox.receive(message);
  }

  onConnected(nodeId: string, publicKey: Uint8Array): void {
    this.#sessions.onConnected(nodeId, publicKey);
  }

  onDisconnected(nodeId: string): void {
    this.#sessions.onDisconnected(nodeId);
  }

  onAccepted(): void {
    this.#session?.ledger.onAccepted();
    // Where the pool is known to hold work, more of it is no news; an answer under way may be older than this.
    if (this.#asksPool || this.#session?.state.work.pooled !== true) this.#tellWork();
  }

  onCommitted(height: number): void {
    const session = this.#session;
    // What this plugin commits itself it tells itself, and in a long range only once it is near the end: a machine that
    // hears of each block on the way asks the others for the next ones each time, and gets them besides.
    if (session === undefined || session.ledger.isBusy || height < session.state.height) return;
    this.#try('read the tip', () => session.ledger.refresh());
  }

  // ---- founding

  /** Opens the network the node belongs to, now or, while there is none, with the next poll or founding. */
  #open(): void {
    this.#openAgain = true;
    if (this.#opening || this.#stopped) return;
    this.#opening = true;
    this.#try('open the network', async () => {
      try {
        while (this.#openAgain && !this.#stopped) {
          this.#openAgain = false;
          await this.#openOnce();
        }
      } finally {
        this.#opening = false;
      }
    });
  }

  async #openOnce(): Promise<void> {
    const { genesis: encoded } = await this.#roles.p2p.network({}).catch((error: unknown) => {
      // A node that belongs to a network looks again with the poll.
      if (this.#session === undefined) this.#openSoon();
      throw error;
    });
    if (encoded === undefined) return;
    const genesis = Genesis.decode(encoded);
    const network = networkOf(genesis);
    if (this.#session !== undefined && sameBytes(this.#session.network, network)) return;
    // At height 0 the node may change over to another network: nothing is signed for the old one from here on.
    this.#close();
    const tip = await this.#tipOf(network);
    if (tip === undefined) return;
    const votes = new VoteLog({ network }, { storage: this.#roles.storage, log: this.#context.log });
    const log = await votes.load(tip.height + 1).catch((error: unknown) => {
      if (hasCode(error, 'ERR_CONSENSUS_LOG_DAMAGED') || hasCode(error, 'ERR_STORAGE_DAMAGED')) {
        this.#context.fatal('damaged', error);
      }
      throw error;
    });
    if (this.#isStopped()) return;
    this.#session = openSession(this.#context, this.#roles, genesis, votes, {
      input: (input, session) => this.#input(input, session),
      send: (session, to, content) => this.#send(session, to, content, 0),
      onOldDecided: (session, message) => this.#try('judge an old block', () => this.#auditor.judge(session, message)),
      onBan: (nodeId, reason) => this.#disconnect(nodeId, reason),
      sources: ({ state, inbox }) => this.#sessions.sources(state, (nodeId) => inbox.isBanned(nodeId)),
      onTip: () => this.#tellWork(),
      onBehind: (session) => this.#sync(session),
    });
    const silentUntil = log.highest > tip.height + 1 && !acceptsRisk(this.#context) ? log.highest : 0;
    const { evidence } = this.#session;
    this.#input({ type: 'start', tip, records: log.records, silentUntil });
    this.#try('read evidence', () => evidence.load());
    await this.#sessions.look();
    this.#tellWork();
  }

  /** The tip, once the chain has changed over to this network too. */
  async #tipOf(network: Uint8Array): Promise<ChainTip | undefined> {
    try {
      const tip = await this.#roles.chain.tip({});
      if (sameBytes(tip.network, network)) return tip;
    } catch (error) {
      if (!hasCode(error, 'ERR_NETWORK_UNFOUNDED')) throw error;
    }
    // Only the chain's own change-over is waited for here: it listens to the same event.
    this.#openSoon();
    return undefined;
  }

  #openSoon(): void {
    this.#retry?.();
    if (this.#stopped) return;
    this.#retry = this.#context.clock.after(OPEN_RETRY_MS, () => this.#open());
  }

  #close(): void {
    const session = this.#session;
    if (session === undefined) return;
    session.closed = true;
    session.inbox.close();
    session.outbox.close();
    for (const cancel of session.timers.values()) cancel();
    this.#session = undefined;
  }

  // ---- inputs and effects

  #input(input: Input, session = this.#session): void {
    if (session === undefined || session.closed) return;
    for (const effect of step(session.state, input)) this.#apply(session, effect);
    this.#noteHeight(session);
    if (session.watch.onStep(session.state)) {
      this.#input({ type: 'complain', height: session.state.height }, session);
    }
    this.#silence.onStep(session.state);
  }

  #apply(session: Session, effect: Effect): void {
    switch (effect.type) {
      case 'sign':
        session.outbox.push(effect);
        break;
      case 'send':
        this.#send(session, effect.to, effect.content, effect.attempt);
        break;
      case 'send-decided':
        this.#try('send decided blocks', () => this.#sendDecided(session, effect));
        break;
      case 'set-timer':
        this.#setTimer(session, effect);
        break;
      case 'clear-timer':
        session.timers.get(effect.timer)?.();
        session.timers.delete(effect.timer);
        break;
      case 'build':
        this.#try('build a block', () => this.#work.build(session, effect));
        break;
      case 'check':
        this.#try('check a block', () => this.#work.check(session, effect));
        break;
      case 'decide':
        this.#countDecision(effect.certificate.round);
        session.watch.onDecided(effect);
        this.#try('commit a block', () => session.ledger.commit(effect));
        break;
      case 'evidence':
        tellEvidence(this.#context, effect);
        this.#keepEvidence(session, effect);
        break;
      case 'sync':
        this.#sync(session);
        break;
      case 'audit':
        this.#try('audit a peer', () => this.#auditor.ask(session, effect));
        break;
      case 'violation':
        this.#context.fatal('safety', violation(effect.height, effect.first, effect.second));
        break;
      case 'round':
        tellRound(this.#context, session.state.members, effect);
        break;
    }
  }

  #sync(session: Session): void {
    this.#try('sync', () => session.sync.run());
  }

  #send(session: Session, to: readonly Uint8Array[], content: ConsensusMessage, attempt: number): void {
    const peers = to.map(nodeIdOf).filter((nodeId) => this.#sessions.has(nodeId));
    if (peers.length === 0) return;
    const body = encodeMessage(content, session.network, attempt);
    const kind = PEER_KINDS.consensus;
    this.#try('send', () => this.#roles.transport.deliver({ peers, kind, body, lane: 'control' }));
  }

  async #sendDecided(session: Session, { to, from, count }: Extract<Effect, { type: 'send-decided' }>): Promise<void> {
    const { blocks } = await this.#roles.chain.range({ from, maxCount: count, maxBytes: DECIDED_BYTES });
    for (const certified of blocks) {
      this.#send(session, [to], session.ledger.decidedOf(certified), 0);
    }
  }

  #setTimer(session: Session, effect: Extract<Effect, { type: 'set-timer' }>): void {
    const { timer, height, round, ms } = effect;
    session.timers.get(timer)?.();
    const cancel = this.#context.clock.after(ms, () => {
      session.timers.delete(timer);
      if (timer === 'round') this.#context.log.info('a round took too long', { height, round, ms });
      this.#input({ type: 'timeout', timer, height, round }, session);
    });
    session.timers.set(timer, cancel);
  }

  #countDecision(round: number): void {
    const { metrics } = this.#context;
    metrics.counter('consensus_decided_total', 'Heights decided here').add();
    if (round > 0) metrics.counter('consensus_late_decisions_total', 'Heights that needed a round above 0').add();
  }

  #keepEvidence(session: Session, { first, second }: Extract<Effect, { type: 'evidence' }>): void {
    const { signer: publicKey, height, round, type } = first;
    const evidence = equivocation({ publicKey, height, round, type }, first, second);
    this.#try('keep evidence', () => session.evidence.add(evidence, this.#context.clock.now()));
  }

  #disconnect(nodeId: string, reason: string): void {
    const code = 'ERR_CONSENSUS_PEER_MISBEHAVED';
    this.#context.log.warn('a peer misbehaves; its session is closed', { peer: nodeId, reason, code });
    this.#try('disconnect a peer', () =>
      this.#roles.transport.disconnect({ nodeId, code, reason: reason.slice(0, 512) }),
    );
  }

  // ---- the poll

  #poll(): void {
    const session = this.#session;
    this.#open();
    if (session === undefined) return;
    this.#try('look around', async () => {
      await session.ledger.refresh();
      await this.#sessions.look();
      session.ledger.onPoll();
      this.#quorum.look(session.state);
      this.#tellWork();
      await session.promoter.run(session.state);
      await session.accuser.run(session.state);
    });
  }

  /** Asks the pool one question at a time: what comes meanwhile is asked once more after it. */
  #tellWork(): void {
    this.#asksAgain = true;
    if (this.#asksPool) return;
    this.#asksPool = true;
    this.#try('look at the pool', async () => {
      try {
        while (this.#asksAgain && !this.#stopped) {
          this.#asksAgain = false;
          await this.#tellWorkOnce();
        }
      } finally {
        this.#asksPool = false;
      }
    });
  }

  async #tellWorkOnce(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    const { pooled, oldest } = await session.ledger.pool();
    session.watch.onPool(oldest);
    const leaderDown = this.#sessions.isLeaderDown(session.state);
    const { work } = session.state;
    if (work.pooled === pooled && work.leaderDown === leaderDown) return;
    this.#input({ type: 'work', pooled, leaderDown }, session);
  }

  /** Runs what may fail: the poll, the rebroadcast or the next message makes good what was missed. */
  #try(what: string, run: () => Promise<unknown>): void {
    run().catch((error: unknown) => {
      if (!this.#stopped) this.#context.log.debug(`could not ${what}`, { error: messageOf(error) });
    });
  }
}
