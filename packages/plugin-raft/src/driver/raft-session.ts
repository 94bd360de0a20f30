import {
  hasCode,
  headerDigest,
  isItChainError,
  messageOf,
  nodeIdOf,
  sameBytes,
  toHex,
  voteSigningBytes,
  Consensus,
  type Cancel,
  type Chain,
  type ChainTip,
  type Genesis,
  type Identity,
  type PluginContext,
  type Storage,
  type Transport,
  type TxPool,
} from '@it-chain/contracts';
import type { RaftEffect, RaftInput, RaftMessage, RaftRecord, RaftTimer } from '../machine/interface.js';
import { step } from '../machine/machine.js';
import { RAFT_KIND, encodeMessage } from '../machine/messages.js';
import { createState, type RaftState } from '../machine/state.js';
import type { RaftConfig } from '../raft-config.js';
import { BlockSync, isCertified } from './block-sync.js';
import { Promoter } from './promoter.js';
import { RaftLog } from './raft-log.js';

/** The roles that a session calls. */
export interface SessionRoles {
  readonly chain: Chain;
  readonly identity: Identity;
  readonly storage: Storage;
  readonly transport: Transport;
  readonly txpool: TxPool;
}

/** What ends the process, and whom to leave. */
export interface SessionPorts {
  readonly onWrong: (nodeId: string) => void;
}

const FATAL = new Map([
  ['ERR_STORAGE_IO', 'io'],
  ['ERR_IDENTITY_GUARD_FAILED', 'io'],
  ['ERR_STORAGE_DAMAGED', 'damaged'],
  ['ERR_IDENTITY_GUARD_DAMAGED', 'damaged'],
  ['ERR_CONSENSUS_LOG_DAMAGED', 'damaged'],
  ['ERR_CHAIN_DIVERGED', 'safety'],
  ['ERR_SAFETY_VIOLATION', 'safety'],
] as const);
const REFUSED = new Set(['ERR_IDENTITY_DOUBLE_SIGN', 'ERR_IDENTITY_STALE_VOTE']);
const RETRY_MS = 200;

/**
 * The machine of one network at work: what it is told becomes inputs, what it wants done becomes calls. Writes go one after
 * the other, commits go one after the other; nothing here decides.
 */
export class RaftSession {
  readonly network: Uint8Array;
  readonly state: RaftState;
  readonly #context: PluginContext<RaftConfig>;
  readonly #roles: SessionRoles;
  readonly #log: RaftLog;
  readonly #sync: BlockSync;
  readonly #promoter: Promoter;
  readonly #timers = new Map<RaftTimer, Cancel>();
  readonly #stop = new AbortController();
  /** Peers that are being asked for blocks, and up to which height; as many as there are sessions. */
  readonly #wanted = new Map<string, number>();
  #writes: Promise<unknown> = Promise.resolve();
  #commits: Promise<unknown> = Promise.resolve();
  /** Since when, in monotonic ms, the leader has had no session. */
  #leaderDown: { readonly leader: string; readonly since: number } | undefined;
  /** The last block was empty although the pool was not: what it holds cannot be taken now, so it is no work. */
  #stuck = false;

  constructor(
    context: PluginContext<RaftConfig>,
    roles: SessionRoles,
    genesis: Genesis,
    network: Uint8Array,
    ports: SessionPorts,
  ) {
    this.network = network;
    this.#context = context;
    this.#roles = roles;
    this.#log = new RaftLog(roles);
    const { log, config, identity } = context;
    const verify = context.verify.bind(context);
    this.#sync = new BlockSync({ network }, { chain: roles.chain, log, verify, onWrong: ports.onWrong });
    this.#promoter = new Promoter({ genesis, network }, { context, txpool: roles.txpool });
    this.state = createState({ ...config, self: toHex(identity.publicKey), leaderTerm: genesis.leaderTerm });
  }

  /** Begins at the tip with what the log holds. @throws ERR_CONSENSUS_LOG_DAMAGED */
  async open(tip: ChainTip): Promise<void> {
    const records = await this.#log.load(tip.height + 1);
    this.input({ type: 'start', tip, records });
    this.tellWork();
  }

  close(): void {
    this.#stop.abort();
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }

  get closed(): boolean {
    return this.#stop.signal.aborted;
  }

  input(input: RaftInput): void {
    if (this.closed) return;
    for (const effect of step(this.state, input)) this.#apply(effect);
  }

  /** What a peer said. Signatures are verified first; false where one does not hold. */
  async receive(from: Uint8Array, message: RaftMessage): Promise<boolean> {
    if (!(await this.#holds(from, message))) return false;
    this.input({ type: 'message', from: toHex(from), message });
    return true;
  }

  /** Transactions came. */
  accepted(): void {
    this.#stuck = false;
    this.tellWork();
  }

  /** The tip may have moved without this plugin. */
  refresh(): Promise<void> {
    return this.#exclusive(() => Promise.resolve());
  }

  /** Looks at everything that events only hint at. */
  async poll(): Promise<void> {
    await this.refresh();
    this.#stuck = false;
    this.tellWork();
    const { tip, part, connected, heights } = this.state;
    if (tip === undefined) return;
    for (const peer of connected) {
      // Whoever is behind, or has said nothing, may have missed what it was told.
      if (heights.get(peer) !== tip.height) this.#send([peer], { kind: 'status', height: tip.height });
    }
    if (part.as === 'leader' && part.round === 0) await this.#promoter.run(tip, heights);
  }

  tellWork(): void {
    this.#try('look at the pool', async () => {
      const { count } = await this.#roles.txpool.status({});
      this.input({ type: 'work', pooled: count > 0 && !this.#stuck, leaderDown: this.#isLeaderDown() });
    });
  }

  /** The session to the leader has been down for twice the wait for it: an idle network, too, gets another one. */
  #isLeaderDown(): boolean {
    const { leader, connected, options } = this.state;
    const now = this.#context.clock.monotonic();
    if (leader === options.self || connected.has(leader)) this.#leaderDown = undefined;
    else if (this.#leaderDown?.leader !== leader) this.#leaderDown = { leader, since: now };
    return this.#leaderDown !== undefined && now - this.#leaderDown.since >= 2 * options.electionMs;
  }

  #apply(effect: RaftEffect): void {
    switch (effect.type) {
      case 'write':
        this.#writes = this.#writes.then(() => this.#write(effect.record));
        break;
      case 'send':
        this.#send(effect.to, effect.message);
        break;
      case 'set-timer':
        this.#setTimer(effect.timer, effect.ms);
        break;
      case 'clear-timer':
        this.#timers.get(effect.timer)?.();
        this.#timers.delete(effect.timer);
        break;
      case 'build':
        this.#try('build a block', () => this.#build(effect));
        break;
      case 'check':
        this.#try('check a block', () => this.#check(effect));
        break;
      case 'decide':
        this.#try('commit a block', () => this.#decide(effect));
        break;
      case 'sync':
        this.#try('sync', () => this.#catchUp(effect));
        break;
      case 'round':
        this.#tellRound(effect);
        break;
    }
  }

  /** On disk, then signed, then told: a failure for a while is tried again, because nothing behind it may overtake it. */
  async #write(record: RaftRecord): Promise<void> {
    let stored = false;
    while (!this.closed && record.height === this.state.height) {
      try {
        if (!stored) await this.#log.append(record);
        stored = true;
        const signature = await this.#sign(record);
        this.input({ type: 'written', record, signature });
        return;
      } catch (error) {
        if (isItChainError(error) && REFUSED.has(error.code)) {
          const { height, round, kind } = record;
          this.#context.log.warn('the signing guard refused a vote; it stays unsaid', { height, round, kind });
          this.input({ type: 'refused', record });
          return;
        }
        if (this.#isFatal(error)) return;
        this.#context.log.warn('a vote cannot be written now; trying again', { error: messageOf(error) });
        await this.#context.clock.sleep(RETRY_MS, this.#stop.signal);
      }
    }
  }

  /** The guard keeps a vote for a candidate like a round change: it outlives a lost log. */
  async #sign(record: RaftRecord): Promise<Uint8Array> {
    const { height, round } = record;
    const type = record.kind === 'vote' ? ('round-change' as const) : ('commit' as const);
    const digest = new Uint8Array(Buffer.from(record.kind === 'vote' ? record.candidate : record.digest, 'hex'));
    const vote = { type, height, round, digest };
    return (await this.#roles.identity.signVote({ network: this.network, vote })).signature;
  }

  async #holds(from: Uint8Array, message: RaftMessage): Promise<boolean> {
    const { tip, height } = this.state;
    if (message.kind === 'ack') {
      if (message.height !== height) return true;
      const vote = { type: 'commit' as const, height, round: message.round, digest: bytesOf(message.digest) };
      const check = { publicKey: from, message: voteSigningBytes(this.network, vote), signature: message.signature };
      return (await this.#context.verify([check]))[0] === true;
    }
    if (message.kind === 'append') {
      return message.height !== height || toHex(headerDigest(message.block.header, this.network)) === message.digest;
    }
    if (message.kind !== 'decided' || message.certificate.height !== height || tip === undefined) return true;
    const of = { network: this.network, set: tip.validators, digest: message.certificate.digest };
    return isCertified(message.certificate, of, this.#context.verify.bind(this.#context));
  }

  #send(to: readonly string[], message: RaftMessage): void {
    const peers = to.filter((key) => this.state.connected.has(key)).map((key) => nodeIdOf(bytesOf(key)));
    if (peers.length === 0) return;
    const body = encodeMessage(message, this.network);
    this.#try('send', () => this.#roles.transport.deliver({ peers, kind: RAFT_KIND, body, lane: 'control' }));
  }

  #setTimer(timer: RaftTimer, ms: number): void {
    this.#timers.get(timer)?.();
    const cancel = this.#context.clock.after(ms, () => {
      this.#timers.delete(timer);
      if (timer === 'election') {
        const { height, leader } = this.state;
        this.#context.log.info('nothing was heard of the leader', {
          height,
          leader: leader && nodeIdOf(bytesOf(leader)),
          ms,
        });
      }
      this.input({ type: 'timeout', timer });
    });
    this.#timers.set(timer, cancel);
  }

  async #build({ height, round }: Extract<RaftEffect, { type: 'build' }>): Promise<void> {
    try {
      const { block, digest } = await this.#roles.chain.build({ height });
      this.input({ type: 'built', height, round, block, digest: toHex(digest) });
    } catch (error) {
      this.#context.log.debug('no block was built; it is tried again', { height, error: messageOf(error) });
      this.input({ type: 'built', height, round });
    }
  }

  async #check({ height, round, digest, block }: Extract<RaftEffect, { type: 'check' }>): Promise<void> {
    let valid = false;
    try {
      // Not fresh: a block of an earlier round may be old, and in a trusted set its time needs no second clock.
      const answer = await this.#roles.chain.check({ block, fresh: false });
      valid = answer.valid && toHex(answer.digest) === digest;
      if (!valid) this.#context.log.warn('the block of the leader is not valid', { height, reason: answer.reason });
    } catch (error) {
      this.#context.log.debug('a block could not be checked now', { height, error: messageOf(error) });
    }
    this.input({ type: 'checked', height, round, digest, valid });
  }

  /** A decided block is committed, however often that takes: nothing else can follow. */
  #decide({ certificate, block }: Extract<RaftEffect, { type: 'decide' }>): Promise<void> {
    return this.#exclusive(async (tip) => {
      const { height, digest, round } = certificate;
      if (tip.height >= height) return;
      this.#stuck = block?.transactions.length === 0 && tip.rootCertified;
      const commit = { height, digest, certificate, clearLogBelow: height + 1, sync: true };
      // The chain has the body that it built or checked; after its restart it may not.
      for (let body: typeof block; !this.closed; body = block) {
        try {
          await this.#roles.chain.commit({ ...commit, block: body });
          break;
        } catch (error) {
          const { code, retryable } = isItChainError(error) ? error : { code: '', retryable: true };
          if (code !== 'ERR_BLOCK_NOT_FOUND' && !retryable) throw error;
          this.#context.log.warn('a decided block could not be committed; trying again', {
            height,
            error: messageOf(error),
          });
        }
        await this.#context.clock.sleep(RETRY_MS, this.#stop.signal);
      }
      this.#context.metrics.counter('consensus_decided_total', 'Heights decided here').add();
      if (round > 0) this.#context.log.info('a height was decided in a later round', { height, round });
    });
  }

  /** Whoever is asked may never answer, so nothing waits for it but this: one request to a peer at a time. */
  async #catchUp({ peer, height }: Extract<RaftEffect, { type: 'sync' }>): Promise<void> {
    const running = this.#wanted.has(peer);
    this.#wanted.set(peer, Math.max(height, this.#wanted.get(peer) ?? 0));
    if (running) return;
    try {
      const nodeId = nodeIdOf(bytesOf(peer));
      const reached = (): number => this.state.tip?.height ?? 0;
      for (let from = -1; !this.closed && from < reached();) {
        from = reached();
        const to = Math.min(this.#wanted.get(peer) ?? 0, from + this.#context.config.limits.syncBlocks);
        if (to <= from) return;
        const blocks = await this.#sync.fetch(from + 1, to, nodeId);
        await this.#exclusive(async (tip) => {
          await this.#sync.commit(tip, blocks, nodeId);
        });
      }
    } finally {
      this.#wanted.delete(peer);
    }
  }

  /** One commit or sync at a time; whatever it was, the machine is told the tip afterwards. */
  #exclusive(run: (tip: ChainTip) => Promise<void>): Promise<void> {
    const turn = this.#commits.then(async () => {
      if (this.closed) return;
      try {
        await run(await this.#roles.chain.tip({}));
      } catch (error) {
        if (!this.#isFatal(error)) throw error;
      } finally {
        await this.#tellTip();
      }
    });
    // The caller is told; the next one does not depend on it.
    this.#commits = turn.catch(() => undefined);
    return turn;
  }

  async #tellTip(): Promise<void> {
    const tip = await this.#roles.chain.tip({});
    if (!sameBytes(tip.network, this.network)) return;
    const before = this.state.tip?.height ?? -1;
    this.input({ type: 'committed', tip });
    if (tip.height > before) this.tellWork();
  }

  #isFatal(error: unknown): boolean {
    for (const [code, kind] of FATAL) {
      if (!hasCode(error, code)) continue;
      this.#context.fatal(kind, error);
      this.close();
      return true;
    }
    return false;
  }

  #tellRound({ height, round, leader }: Extract<RaftEffect, { type: 'round' }>): void {
    if (leader === '') return;
    this.#context.metrics.gauge('consensus_height', 'The height that is open').set(height);
    this.#context.metrics.gauge('consensus_round', 'The round of the leader that this node follows').set(round);
    void this.#context.emit(Consensus.events.round, { height, round, leader: bytesOf(leader) });
  }

  /** Runs what may fail: the poll, the next event or the next message makes good what was missed. */
  #try(what: string, run: () => Promise<unknown>): void {
    run().catch((error: unknown) => {
      if (!this.closed && !this.#isFatal(error)) {
        this.#context.log.debug(`could not ${what}`, { error: messageOf(error) });
      }
    });
  }
}

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
