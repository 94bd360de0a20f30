import {
  AdmissionAnswer,
  AdmissionRequest,
  PEER_KINDS,
  concatBytes,
  failure,
  hasCode,
  isItChainError,
  joinSigningBytes,
  nodeIdOf,
  ownTransaction,
  sameBytes,
  toHex,
  transactionId,
  utf8,
  type Chain,
  type Clock,
  type Genesis,
  type Log,
  type MemberJoin,
  type MembersAnswer,
  type NodeIdentity,
  type PeerAsked,
  type Session,
  type SignatureCheck,
  type Transport,
  type TxPool,
} from '@it-chain/contracts';
import type { Founding } from './founding.js';
import { judgeJoin, ownJoinProposals } from './join-policy.js';
import { otherNetwork } from './other-network.js';
import type { PeerTable } from './peer-table.js';
import { readGenesis, type KnownGenesis } from './read-genesis.js';

/** What the admission needs around it. */
export interface AdmissionDependencies {
  readonly clock: Clock;
  readonly log: Log;
  readonly identity: NodeIdentity;
  readonly founding: Founding;
  readonly table: PeerTable;
  readonly transport: Transport;
  readonly chain: Chain;
  readonly txpool: TxPool;
  readonly random: (length: number) => Uint8Array;
  readonly sign: (domain: 'join' | 'transaction', network: Uint8Array, content: Uint8Array) => Promise<Uint8Array>;
  readonly verify: (checks: readonly SignatureCheck[]) => Promise<boolean[]>;
}

/** Heights for which a membership transaction is valid, where the window of the network is not smaller. */
const VALID_HEIGHTS = 10_000;
const MAX_HOPS = 2;
const RETRY_MS = 300;
const MAX_RECENT = 1_000;
/** A join that was submitted within this time is not submitted again. */
const RECENT_MS = 10_000;
const SETTLE_WAIT_MS = 3_000;
/** The member may not be ready yet: asked again until the time is over. */
const RETRYABLE = ['ERR_NETWORK_UNFOUNDED', 'ERR_JOIN_NO_SPONSOR', 'ERR_PEER_NO_ANSWER', 'ERR_PEER_BUSY'];

/** A join that was submitted a moment ago. */
interface RecentJoin {
  readonly at: number;
  readonly answer: Promise<AdmissionAnswer>;
}

/** The node is a member already. */
const MEMBER_ALREADY: AdmissionAnswer = { transaction: new Uint8Array(0), voted: false };

/** Both sides of a join: asks a member to be admitted, and brings the joins of others into the chain. */
export class Admission {
  readonly #maxJoinProposals: number;
  readonly #dependencies: AdmissionDependencies;
  readonly #recent = new Map<string, RecentJoin>();

  constructor(options: { readonly maxJoinProposals: number }, dependencies: AdmissionDependencies) {
    this.#maxJoinProposals = options.maxJoinProposals;
    this.#dependencies = dependencies;
  }

  /**
   * Asks the member of a session to admit this node; answers the id of the membership transaction, or of the one that
   * proposes it to the vote, or nothing where the node is a member already.
   * @throws ERR_DIFFERENT_NETWORK, ERR_NETWORK_UNFOUNDED, ERR_JOIN_REFUSED, ERR_JOIN_NO_SPONSOR, ERR_PEER_TIMEOUT
   */
  async ask(session: Session, timeoutMs: number): Promise<AdmissionAnswer> {
    const { nodeId } = session;
    const { founding, identity, clock, sign, transport } = this.#dependencies;
    const end = clock.monotonic() + timeoutMs;
    await founding.whenSettled(timeoutMs);
    const genesis = founding.genesis;
    if (genesis === undefined || !founding.settled) {
      throw failure('ERR_NETWORK_UNFOUNDED', 'neither this node nor the one that was dialled belongs to a network');
    }
    // Before anything else: a member of its own network would otherwise be told that it is one already.
    refuseOther(session, genesis, founding.height);
    const { publicKey, name } = identity;
    if (await this.#isMember(publicKey, genesis.value)) return MEMBER_ALREADY;
    const signature = await sign('join', genesis.digest, concatBytes(publicKey, utf8(name)));
    const body = AdmissionRequest.encode({ network: genesis.digest, join: { publicKey, name, signature }, hops: 0 });
    for (;;) {
      const left = end - clock.monotonic();
      try {
        const answer = await transport.fetch(
          { peer: nodeId, kind: PEER_KINDS.join, body },
          { timeoutMs: Math.max(1, left) },
        );
        return AdmissionAnswer.decode(answer.body);
      } catch (error) {
        const again = RETRYABLE.some((code) => hasCode(error, code)) && left > 2 * RETRY_MS;
        if (!again) throw error;
        await clock.sleep(RETRY_MS);
      }
    }
  }

  /** Answers the request of a peer; what goes wrong crosses to it as a code. */
  async answer({ from, requestId, body }: PeerAsked): Promise<void> {
    const { transport, log } = this.#dependencies;
    try {
      const encoded = AdmissionAnswer.encode(await this.#admit(AdmissionRequest.decode(body), from));
      await transport.answer({ requestId, body: encoded, errorCode: '', errorMessage: '' });
    } catch (error) {
      const known = isItChainError(error) ? error : failure('ERR_INTERNAL', 'the join could not be handled');
      log.debug('a join was not admitted', { from, code: known.code, reason: known.message });
      const message = known.message.slice(0, 1_000);
      await transport.answer({ requestId, body: new Uint8Array(0), errorCode: known.code, errorMessage: message });
    }
  }

  async #admit(request: AdmissionRequest, from: string): Promise<AdmissionAnswer> {
    const { founding, verify, identity } = this.#dependencies;
    await founding.whenSettled(SETTLE_WAIT_MS);
    const genesis = founding.genesis;
    if (genesis === undefined || !founding.settled)
      throw failure('ERR_NETWORK_UNFOUNDED', 'this node belongs to no network');
    const { join, network, hops } = request;
    if (!sameBytes(network, genesis.digest)) {
      throw failure(
        'ERR_DIFFERENT_NETWORK',
        `asked to join ${toHex(network)}, this node belongs to ${genesis.network}`,
      );
    }
    if (hops === 0 && nodeIdOf(join.publicKey) !== from) {
      throw failure('ERR_JOIN_REFUSED', 'a node may ask for itself only');
    }
    const message = joinSigningBytes(network, join.publicKey, join.name);
    const [valid] = await verify([{ publicKey: join.publicKey, message, signature: join.signature }]);
    if (valid !== true) throw failure('ERR_JOIN_REFUSED', 'the signature of the joiner is not valid');
    if (await this.#isMember(join.publicKey, genesis.value)) return MEMBER_ALREADY;
    const members = await this.#members();
    const verdict = judgeJoin(members, genesis.value, join.publicKey);
    if (verdict.way === 'proposed') return { transaction: verdict.id, voted: true };
    const validator = await this.#isValidator(identity.publicKey, genesis.value);
    if (!validator) return this.#passOn(request, from);
    return this.#submit(join, genesis, verdict.way === 'vote' ? { members } : undefined);
  }

  /** What the chain says of the members; undefined for the moment in which it does not know the network yet. */
  async #members(): Promise<MembersAnswer | undefined> {
    try {
      return await this.#dependencies.chain.members({});
    } catch (error) {
      if (hasCode(error, 'ERR_NETWORK_UNFOUNDED')) return undefined;
      throw error;
    }
  }

  /** Submits a join, or its proposal, once, however often it is asked for. */
  #submit(
    join: MemberJoin,
    genesis: KnownGenesis,
    vote?: { readonly members: MembersAnswer | undefined },
  ): Promise<AdmissionAnswer> {
    const key = toHex(join.publicKey);
    const at = this.#dependencies.clock.monotonic();
    const recent = this.#recent.get(key);
    if (recent !== undefined && at - recent.at < RECENT_MS) return recent.answer;
    if (vote !== undefined) this.#refuseFlood(at, vote.members);
    const entry = { at, answer: this.#makeAndSubmit(join, genesis, vote !== undefined) };
    this.#remember(key, entry);
    entry.answer.catch(() => {
      // Whoever waits for it is told; the next one may try again.
      if (this.#recent.get(key) === entry) this.#recent.delete(key);
    });
    return entry.answer;
  }

  /** Whoever reaches this node may ask: what it proposes by itself must not use up what its operator may propose. */
  #refuseFlood(now: number, members: MembersAnswer | undefined): void {
    const { identity } = this.#dependencies;
    const waiting = ownJoinProposals(members, identity.publicKey);
    const underWay = [...this.#recent.values()].filter(({ at }) => now - at < RECENT_MS).length;
    if (waiting + underWay < this.#maxJoinProposals) return;
    throw failure(
      'ERR_JOIN_REFUSED',
      `${waiting + underWay} joins that this node has proposed wait for votes already; ask another validator`,
    );
  }

  /** Signs the membership transaction as sponsor and puts it into the pool. */
  async #makeAndSubmit(join: MemberJoin, { value, digest }: KnownGenesis, voted: boolean): Promise<AdmissionAnswer> {
    const { identity, founding, random, sign, txpool, log } = this.#dependencies;
    const expiresAt = founding.height + Math.min(value.window, VALID_HEIGHTS);
    const { publicKey, name } = join;
    const membership = voted ? { propose: { action: { admit: { publicKey, name } }, approve: false } } : { join };
    const encoded = await ownTransaction({ identity, random, sign }, { network: digest, expiresAt, membership });
    const id = transactionId(encoded, digest);
    const { entries } = await txpool.submit({ transactions: [encoded] });
    const [entry] = entries;
    if (entry === undefined || entry.state === 'rejected') {
      throw failure('ERR_JOIN_REFUSED', `the pool refused the join: ${entry?.code ?? ''} ${entry?.reason ?? ''}`);
    }
    log.info('a node asks to join', { peer: nodeIdOf(publicKey), called: name, voted, transaction: toHex(id) });
    return { transaction: id, voted };
  }

  /** A learner, or a node that is no member, asks a validator that it is connected to. */
  async #passOn(request: AdmissionRequest, from: string): Promise<AdmissionAnswer> {
    const { table, transport, chain } = this.#dependencies;
    if (request.hops >= MAX_HOPS) throw failure('ERR_JOIN_NO_SPONSOR', 'the join was passed on too often');
    const connected = table.all().filter(({ session, nodeId }) => session !== undefined && nodeId !== from);
    const { roles } = await chain.roles({ publicKeys: connected.map(({ publicKey }) => publicKey) });
    const validators = connected.filter((_, index) => roles[index]?.role === 'validator');
    const body = AdmissionRequest.encode({ ...request, hops: request.hops + 1 });
    let last: unknown;
    for (const { nodeId } of validators.slice(0, 3)) {
      try {
        const answer = await transport.fetch({ peer: nodeId, kind: PEER_KINDS.join, body });
        return AdmissionAnswer.decode(answer.body);
      } catch (error) {
        if (hasCode(error, 'ERR_JOIN_REFUSED')) throw error;
        last = error;
      }
    }
    throw failure('ERR_JOIN_NO_SPONSOR', 'this node is no validator and reaches none', {
      retryable: true,
      cause: last,
    });
  }

  async #isMember(publicKey: Uint8Array, genesis: Genesis): Promise<boolean> {
    const role = await this.#roleOf(publicKey, genesis);
    return role === 'validator' || role === 'learner';
  }

  async #isValidator(publicKey: Uint8Array, genesis: Genesis): Promise<boolean> {
    return (await this.#roleOf(publicKey, genesis)) === 'validator';
  }

  async #roleOf(publicKey: Uint8Array, genesis: Genesis): Promise<string> {
    const { roles } = await this.#dependencies.chain.roles({ publicKeys: [publicKey] });
    const role = roles[0]?.role ?? 'unfounded';
    // The chain learns of the network a moment later; until then the genesis says who is in it.
    if (role === 'unfounded')
      return genesis.validators.some((key) => sameBytes(key, publicKey)) ? 'validator' : 'observer';
    return role;
  }

  #remember(key: string, entry: RecentJoin): void {
    this.#recent.delete(key);
    this.#recent.set(key, entry);
    if (this.#recent.size <= MAX_RECENT) return;
    for (const oldest of this.#recent.keys()) {
      this.#recent.delete(oldest);
      return;
    }
  }
}

/** Above height 0 on both sides nobody changes over: see the table of decideFounding. */
function refuseOther({ nodeId, hello }: Session, own: KnownGenesis, height: number): void {
  const { network } = hello;
  if (network === undefined || sameBytes(network, own.digest)) return;
  const other = readGenesis(hello.genesis);
  const recovered = own.value.recovery !== undefined || other.value.recovery !== undefined;
  if (!recovered && (hello.height === 0 || height === 0)) return;
  const { code, reason } = otherNetwork(own, other);
  if (code === 'ERR_NETWORK_RECOVERED') throw failure(code, reason);
  throw failure(
    code,
    `${nodeId} belongs to the network ${toHex(network)}, this node to ${own.network}, and both have blocks`,
  );
}
