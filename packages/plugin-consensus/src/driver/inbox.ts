import {
  certificateChecks,
  hasCode,
  isItChainError,
  messageOf,
  sameBytes,
  toHex,
  type Clock,
  type Counter,
  type Log,
  type PeerMessage,
  type SignatureCheck,
} from '@it-chain/contracts';
import { blockDigest } from '../machine/justification.js';
import type { Members } from '../machine/members.js';
import {
  decodeMessage,
  isVoteMessage,
  signedBytes,
  votesIn,
  type ConsensusMessage,
  type ReceivedMessage,
  type SignedVote,
} from '../machine/messages.js';
import type { State } from '../machine/state.js';
import type { ConsensusConfig } from '../config.js';
import { checkKey, type VerifiedCache } from './verified-cache.js';

/** A message whose signatures have been verified. */
export interface VerifiedMessage {
  readonly from: Uint8Array;
  readonly content: ConsensusMessage;
  readonly attempt: number;
}

interface PendingMessage extends VerifiedMessage {
  readonly nodeId: string;
  readonly checks: readonly { readonly key: string; readonly check: SignatureCheck }[];
}

interface PeerAccount {
  tokens: number;
  at: number;
  strikes: number;
  pending: number;
  bannedUntil: number;
}

/** What an inbox works with. */
export interface InboxDependencies {
  readonly clock: Clock;
  readonly log: Log;
  readonly cache: VerifiedCache;
  readonly dropped: Counter;
  readonly verify: (checks: readonly SignatureCheck[]) => Promise<boolean[]>;
  /** The state of the machine, to know who may say what. */
  readonly state: () => State;
  readonly accept: (message: VerifiedMessage) => void;
  /** A peer votes, or tells a block, above what can be checked here: it says what its tip is, unproven, as STATUS would. */
  readonly onAhead: (from: Uint8Array, tip: number) => void;
  /** DECIDED of a height that is committed here already. */
  readonly onOldDecided: (message: VerifiedMessage) => void;
  /** A peer has used up its strikes. */
  readonly onBan: (nodeId: string, reason: string) => void;
}

/**
 * The gate before the machine: rate limit, decoding, membership, and only then signatures, off the event loop and in
 * batches. No byte of a peer gets past it unchecked, and none makes it throw.
 */
export class Inbox {
  readonly #limits: ConsensusConfig['limits'];
  readonly #with: InboxDependencies;
  readonly #peers = new Map<string, PeerAccount>();
  #pending: PendingMessage[] = [];
  #verifying = false;
  #closed = false;

  constructor(options: ConsensusConfig['limits'], dependencies: InboxDependencies) {
    this.#limits = options;
    this.#with = dependencies;
  }

  close(): void {
    this.#closed = true;
    this.#pending = [];
  }

  /** True while nothing is taken from this peer. */
  isBanned(nodeId: string): boolean {
    return (this.#peers.get(nodeId)?.bannedUntil ?? 0) > this.#with.clock.monotonic();
  }

  /** Takes what a peer sent. Never throws. */
  receive(message: PeerMessage): void {
    if (this.#closed || !this.#admit(message.from)) return;
    const received = this.#decode(message);
    if (received === undefined) return;
    const { content, attempt } = received;
    const pending = { nodeId: message.from, from: message.publicKey, content, attempt };
    const checks = this.#checksOf(pending);
    if (checks === undefined) this.#drop('not-due');
    else if (checks === 'strike') this.strike(message.from, 'a message that no validator may send');
    else this.#enqueue({ ...pending, checks: checks.map((check) => ({ key: checkKey(check), check })) });
  }

  /** Notes an invalid message; with the last strike, or one that is `final`, the session ends for a while. */
  strike(nodeId: string, reason: string, final = false): void {
    this.#drop('invalid');
    const account = this.#account(nodeId);
    account.strikes += 1;
    this.#with.log.debug('a peer sent an invalid consensus message', {
      peer: nodeId,
      reason,
      strikes: account.strikes,
    });
    if (!final && account.strikes < this.#limits.maxStrikes) return;
    account.strikes = 0;
    account.bannedUntil = this.#with.clock.monotonic() + this.#limits.banMs;
    this.#with.onBan(nodeId, reason);
  }

  /** A token bucket that holds one second's worth. */
  #admit(nodeId: string): boolean {
    const now = this.#with.clock.monotonic();
    const account = this.#account(nodeId);
    const { messagesPerSecond } = this.#limits;
    account.tokens = Math.min(messagesPerSecond, account.tokens + ((now - account.at) * messagesPerSecond) / 1_000);
    account.at = now;
    if (account.bannedUntil > now) return this.#drop('banned');
    if (account.tokens < 1) return this.#drop('rate');
    account.tokens -= 1;
    return true;
  }

  #account(nodeId: string): PeerAccount {
    const known = this.#peers.get(nodeId);
    if (known !== undefined) return known;
    const account = {
      tokens: this.#limits.messagesPerSecond,
      at: this.#with.clock.monotonic(),
      strikes: 0,
      pending: 0,
      bannedUntil: 0,
    };
    if (this.#peers.size >= 2 * this.#limits.maxPeers) this.#forgetIdle();
    this.#peers.set(nodeId, account);
    return account;
  }

  #forgetIdle(): void {
    const now = this.#with.clock.monotonic();
    for (const [nodeId, account] of this.#peers) {
      if (account.pending === 0 && account.bannedUntil <= now) this.#peers.delete(nodeId);
    }
  }

  #decode(message: PeerMessage): ReceivedMessage | undefined {
    try {
      const received = decodeMessage(message.body);
      if (received !== undefined && sameBytes(received.network, this.#with.state().options.network)) return received;
      this.#drop('other-network');
    } catch (error) {
      this.strike(message.from, isItChainError(error) ? error.code : messageOf(error));
    }
    return undefined;
  }

  /** What must hold of a message; undefined where it is not due, `strike` where no correct node sends it. */
  #checksOf(message: { from: Uint8Array; content: ConsensusMessage }): SignatureCheck[] | undefined | 'strike' {
    const { content, from } = message;
    const state = this.#with.state();
    if (isVoteMessage(content)) {
      const { height, signer } = content.vote;
      if (!sameBytes(signer, from)) return 'strike';
      // Below the open height it only asks for help, and counts for nothing.
      if (height < state.height) return [];
      const members = membersAt(state, height);
      if (members !== undefined) return this.#voteChecks(votesIn(content), members);
      this.#with.onAhead(from, height - 1);
      return undefined;
    }
    if (content.kind === 'decided') return this.#decidedChecks(from, content, state);
    if (content.kind === 'status') {
      if (content.seen !== undefined && !sameBytes(content.seen.signer, state.options.self)) return 'strike';
      return votesIn(content).map((vote) => this.#checkOf(vote));
    }
    return [];
  }

  #voteChecks(votes: readonly SignedVote[], members: Members): SignatureCheck[] | undefined | 'strike' {
    if (!members.index.has(toHex(votes[0]?.signer ?? new Uint8Array(0)))) return undefined;
    if (votes.length > 2 * members.n + 1) return 'strike';
    if (votes.some(({ signer }) => !members.index.has(toHex(signer)))) return 'strike';
    return votes.map((vote) => this.#checkOf(vote));
  }

  #decidedChecks(
    from: Uint8Array,
    content: Extract<ConsensusMessage, { kind: 'decided' }>,
    state: State,
  ): SignatureCheck[] | undefined | 'strike' {
    const { certificate, block } = content;
    if (certificate.height < state.height) return [];
    const members = membersAt(state, certificate.height);
    if (members === undefined) {
      // Learners see no votes: without this one that has missed a block would stay behind wherever few are made at a time.
      this.#with.onAhead(from, certificate.height);
      return undefined;
    }
    try {
      const { network } = state.options;
      return certificateChecks(certificate, network, members.set, blockDigest(block, network));
    } catch (error) {
      if (hasCode(error, 'ERR_CERTIFICATE_INVALID')) return 'strike';
      throw error;
    }
  }

  #checkOf(vote: SignedVote): SignatureCheck {
    const { network } = this.#with.state().options;
    return { publicKey: vote.signer, message: signedBytes(network, vote), signature: vote.signature };
  }

  #enqueue(message: PendingMessage): void {
    const account = this.#account(message.nodeId);
    if (account.pending >= this.#limits.maxPendingPerPeer || this.#pending.length >= this.#limits.maxPending) {
      this.#drop('full');
      return;
    }
    account.pending += 1;
    this.#pending.push(message);
    if (!this.#verifying) void this.#verifyAll();
  }

  /** One batch at a time: what comes while it is verified is the next batch. The order of one peer is kept. */
  async #verifyAll(): Promise<void> {
    this.#verifying = true;
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      for (const { nodeId } of batch) this.#account(nodeId).pending -= 1;
      const verdicts = await this.#verifyBatch(batch);
      for (const message of batch) if (!this.#closed) this.#conclude(message, verdicts);
    }
    this.#verifying = false;
  }

  async #verifyBatch(batch: readonly PendingMessage[]): Promise<ReadonlyMap<string, boolean> | undefined> {
    const open = new Map<string, SignatureCheck>();
    for (const { checks } of batch) {
      for (const { key, check } of checks) if (!this.#with.cache.has(key)) open.set(key, check);
    }
    if (open.size === 0) return new Map();
    try {
      const verdicts = await this.#with.verify([...open.values()]);
      return new Map([...open.keys()].map((key, index) => [key, verdicts[index] === true]));
    } catch (error) {
      this.#with.log.warn('signatures cannot be verified now; messages are dropped', { error: messageOf(error) });
      return undefined;
    }
  }

  #conclude(message: PendingMessage, verdicts: ReadonlyMap<string, boolean> | undefined): void {
    if (verdicts === undefined) return;
    for (const { key } of message.checks) {
      if (this.#with.cache.has(key)) continue;
      if (verdicts.get(key) !== true) {
        this.strike(message.nodeId, 'an invalid signature');
        return;
      }
      this.#with.cache.add(key);
    }
    const { content } = message;
    const { height } = this.#with.state();
    if (content.kind === 'decided' && content.certificate.height < height) this.#with.onOldDecided(message);
    else this.#with.accept(message);
  }

  #drop(reason: string): false {
    this.#with.dropped.add(1, { reason });
    return false;
  }
}

/** The validators that vote at a height: known for the open one and the next. */
function membersAt(state: State, height: number): Members | undefined {
  if (height === state.height) return state.members;
  return height === state.height + 1 ? state.nextMembers : undefined;
}
