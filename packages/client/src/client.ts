import { randomBytes } from 'node:crypto';
import {
  Genesis,
  decodeTransaction,
  failure,
  signTransaction,
  toHex,
  type BlockReply,
  type ConsensusReply,
  type DecodedTransaction,
  type EquivocationEvidence,
  type EventReply,
  type Infer,
  type KeyPair,
  type LeaderReply,
  type MemberAction,
  type MembersReply,
  type PeerReply,
  type QueryStateReply,
  type StatusReply,
  type TransactionProof,
  type TransactionStatus,
  type ValidatorsReply,
} from '@it-chain/contracts';
import { Connection, type CallOptions, type ClientOptions, type ReplyOf } from './connection.js';
import { followBlocks, type FollowOptions } from './follow-blocks.js';
import { KvClient } from './kv.js';
import { resumed } from './resumed.js';
import { submitStream, type SubmitStreamOptions } from './submit-stream.js';
import { TransactionBatcher, type BatcherOptions } from './transaction-batcher.js';

/** What a sender must know to sign: fetched once and kept. */
export interface SigningTerms {
  /** Digest of the genesis, or of the candidate before founding. 32 bytes. */
  readonly network: Uint8Array;
  readonly genesis: Genesis;
  /** Height of the tip when it was asked for. */
  readonly height: number;
}

/** A signed transaction, ready to be sent. */
export interface SignedTransaction {
  readonly id: Uint8Array;
  readonly encoded: Uint8Array;
}

const JOIN_TIMEOUT_MS = 45_000;
const VERIFY_TIMEOUT_MS = 600_000;
/** The candidate of an unfounded node may be given up for another network at any moment. */
const UNSETTLED_TERMS_MS = 1_000;
const TERMS_MS = 60_000;

/** A typed client of one node's API. Every error is an ItChainError with a code and, mostly, a hint. */
export class Client {
  /** The key-value application. */
  readonly kv: KvClient;
  readonly #connection: Connection;
  #terms: { readonly terms: Promise<SigningTerms>; until: number } | undefined;

  constructor(options: ClientOptions) {
    this.#connection = new Connection(options);
    this.kv = new KvClient(this);
  }

  /** `HOST:PORT` as given. */
  get address(): string {
    return this.#connection.address;
  }

  /** The node in one answer. */
  status(options?: CallOptions): Promise<StatusReply> {
    return this.#connection.unary('getStatus', {}, options);
  }
  /** The peer table, the node itself first. */
  peers(options?: CallOptions): Promise<readonly PeerReply[]> {
    return this.#connection.unary('getPeers', {}, options).then(({ peers }) => peers);
  }
  /** The leader that this node knows; empty where there is none. */
  leader(options?: CallOptions): Promise<LeaderReply> {
    return this.#connection.unary('getLeader', {}, options);
  }
  /** The validators of a height up to the tip plus 2; 0 = the next height. */
  validators(height = 0, options?: CallOptions): Promise<ValidatorsReply> {
    return this.#connection.unary('getValidators', { height }, options);
  }
  /** Members, membership policy, proposals and evicted keys. */
  members(options?: CallOptions): Promise<MembersReply> {
    return this.#connection.unary('getMembers', {}, options);
  }
  /** How the validators stand at the open height, and why nothing is decided. */
  consensus(options?: CallOptions): Promise<ConsensusReply> {
    return this.#connection.unary('getConsensus', {}, options);
  }
  /** Proofs of equivocation that the node has kept, the latest first. */
  evidence(options?: CallOptions): Promise<ReplyOf<'getEvidence'>['entries']> {
    return this.#connection.unary('getEvidence', {}, options).then(({ entries }) => entries);
  }
  /** Puts an action to the vote of the validators; `approve` is also the vote of the node. Admin. @throws ERR_TX_REFUSED */
  propose(
    action: MemberAction,
    options: CallOptions & { readonly approve?: boolean } = {},
  ): Promise<TransactionStatus> {
    return this.#connection.unary('proposeChange', { action, approve: options.approve ?? true }, options);
  }
  /** Lets the node vote on a proposal. Admin. @throws ERR_TX_REFUSED */
  vote(proposal: Uint8Array, approve: boolean, options?: CallOptions): Promise<TransactionStatus> {
    return this.#connection.unary('voteOnProposal', { proposal, approve }, options);
  }
  /** Lets the node submit evidence, which evicts without a vote. Admin. @throws ERR_TX_REFUSED */
  accuse(evidence: EquivocationEvidence, options?: CallOptions): Promise<TransactionStatus> {
    return this.#connection.unary('accuseMember', { evidence }, options);
  }
  /** The genesis of the network, and whether it can still change over at height 0. */
  genesis(options?: CallOptions): Promise<ReplyOf<'getGenesis'>> {
    return this.#connection.unary('getGenesis', {}, options);
  }
  /** All metrics as Prometheus text. */
  metrics(options?: CallOptions): Promise<string> {
    return this.#connection.unary('getMetrics', {}, options).then(({ text }) => text);
  }

  /** Opens a session to `[NODEID@]HOST:PORT`. Admin. */
  dial(address: string, options?: CallOptions): Promise<ReplyOf<'dial'>> {
    return this.#connection.unary('dial', { address }, { timeoutMs: JOIN_TIMEOUT_MS, ...options });
  }
  /** Joins the network of the member at `[NODEID@]HOST:PORT`. Admin. */
  join(address: string, options?: CallOptions): Promise<ReplyOf<'join'>> {
    return this.#connection.unary('join', { address }, { timeoutMs: JOIN_TIMEOUT_MS, ...options });
  }
  /** Ends the session to a peer. Admin. */
  async disconnect(nodeId: string, options?: CallOptions): Promise<void> {
    await this.#connection.unary('disconnect', { nodeId }, options);
  }
  /** Makes this node leave its network; gives the id of the transaction. Admin. */
  leave(options?: CallOptions): Promise<Uint8Array> {
    return this.#connection.unary('leave', {}, options).then(({ transaction }) => transaction);
  }
  /** Checks every stored value. Admin. */
  verifyStore(options?: CallOptions): Promise<ReplyOf<'verifyStore'>> {
    return this.#connection.unary('verifyStore', {}, { timeoutMs: VERIFY_TIMEOUT_MS, ...options });
  }

  /** Sends canonical encoded transactions; answered when they are durable. @throws ERR_TXPOOL_FULL where nothing fits */
  submit(transactions: readonly Uint8Array[], options?: CallOptions): Promise<readonly TransactionStatus[]> {
    return this.#connection.unary('submit', { transactions }, options).then(({ results }) => results);
  }
  /** Sends many batches over one stream, with backpressure. */
  submitStream(
    batches: AsyncIterable<readonly Uint8Array[]> | Iterable<readonly Uint8Array[]>,
    options?: SubmitStreamOptions,
  ): AsyncGenerator<readonly TransactionStatus[], void> {
    return submitStream(this.#connection, batches, options);
  }
  /** Gathers single transactions into batches. */
  batcher(options: BatcherOptions = {}): TransactionBatcher {
    return new TransactionBatcher(options, { submit: (transactions) => this.submit(transactions) });
  }
  /** Lets the node sign a payload with its own key and submit it. Admin. */
  signAndSubmit(
    payload: Uint8Array,
    options: CallOptions & { readonly expiresAt?: number } = {},
  ): Promise<TransactionStatus> {
    return this.#connection.unary('signAndSubmit', { payload, expiresAt: options.expiresAt ?? 0 }, options);
  }

  /** Signs a payload for the network of this node. `expiresAt` defaults to the end of the window. */
  async sign(payload: Uint8Array, keys: KeyPair, expiresAt?: number): Promise<SignedTransaction> {
    const { network, genesis, height } = await this.signingTerms();
    const encoded = signTransaction(
      { network, nonce: randomBytes(8), expiresAt: expiresAt ?? height + genesis.window, application: payload },
      keys,
    );
    const { id }: DecodedTransaction = decodeTransaction(encoded);
    return { id, encoded };
  }
  /** Signs a payload and sends it. */
  async send(payload: Uint8Array, keys: KeyPair, options?: CallOptions): Promise<TransactionStatus> {
    const { encoded, id } = await this.sign(payload, keys);
    const [status] = await this.submit([encoded], options);
    if (status === undefined) throw failure('ERR_INTERNAL', `the node did not answer for the transaction ${toHex(id)}`);
    return status;
  }
  /** What must be known to sign. Kept for a minute, or for a second before founding. */
  signingTerms(): Promise<SigningTerms> {
    const now = Date.now();
    if (this.#terms !== undefined && now < this.#terms.until) return this.#terms.terms;
    const entry = { terms: this.#fetchTerms(), until: now + UNSETTLED_TERMS_MS };
    this.#terms = entry;
    entry.terms.then(
      ({ height }) => {
        if (height > 0) entry.until = now + TERMS_MS;
      },
      () => {
        // Whoever asked gets the error; the next one asks again.
        entry.until = 0;
      },
    );
    return entry.terms;
  }
  async #fetchTerms(): Promise<SigningTerms> {
    const [reply, { height }] = await Promise.all([this.genesis(), this.status()]);
    return { network: reply.network, genesis: Genesis.decode(reply.genesis), height };
  }

  /** Where a transaction stands. */
  transaction(id: Uint8Array, options?: CallOptions): Promise<TransactionStatus> {
    return this.#connection.unary('getTransaction', { id }, options);
  }
  /** Every change of a transaction until it is committed or rejected. */
  watchTransaction(id: Uint8Array, options?: CallOptions): AsyncGenerator<TransactionStatus, void> {
    return this.#connection.stream('watchTransaction', { id }, options);
  }
  /**
   * Waits until a transaction is committed or rejected, and says which; also over a restart of the node.
   * @throws ERR_CLI_TIMEOUT with the last reason after `timeoutMs` (default 30,000)
   */
  async waitForTransaction(
    id: Uint8Array,
    options: { readonly timeoutMs?: number | undefined; readonly onChange?: (status: TransactionStatus) => void } = {},
  ): Promise<TransactionStatus> {
    const timeoutMs = options.timeoutMs ?? 30_000;
    const late = AbortSignal.timeout(timeoutMs);
    let last: TransactionStatus | undefined;
    for await (const status of resumed(() => this.watchTransaction(id, { signal: late }), { signal: late })) {
      options.onChange?.(status);
      last = status;
      if (status.status === 'committed' || status.status === 'rejected') return status;
    }
    const why =
      last === undefined
        ? 'nothing was heard of it'
        : `it is ${last.status}${last.reason === '' ? '' : `: ${last.reason}`}`;
    throw failure('ERR_CLI_TIMEOUT', `the transaction ${toHex(id)} was not committed within ${timeoutMs} ms; ${why}`, {
      retryable: true,
    });
  }
  /** The offline proof of a committed transaction; check it with `verifyTransactionProof`. */
  proveTransaction(id: Uint8Array, options?: CallOptions): Promise<Infer<typeof TransactionProof>> {
    return this.#connection.unary('proveTransaction', { id }, options);
  }

  /** A block by height (0 = the tip) or digest. @throws ERR_BLOCK_NOT_FOUND */
  block(which: number | Uint8Array = 0, options?: CallOptions): Promise<BlockReply> {
    const request = typeof which === 'number' ? { height: which } : { height: 0, digest: which };
    return this.#connection.unary('getBlock', request, options);
  }
  /** Blocks from a height on; 0 = 100 of them, at most 500 and 4 MiB. */
  blocks(from: number, limit = 0, options?: CallOptions): Promise<readonly BlockReply[]> {
    return this.#connection.unary('getBlocks', { from, limit }, options).then(({ blocks }) => blocks);
  }
  /** Every block from a height on (0 = the next one), resumed by itself. */
  followBlocks(from = 0, options?: FollowOptions): AsyncGenerator<BlockReply, void> {
    return followBlocks(this.#connection, from, options);
  }
  /** Asks the application. */
  query(
    path: string,
    data: Uint8Array,
    options: CallOptions & { readonly prove?: boolean } = {},
  ): Promise<QueryStateReply> {
    return this.#connection.unary('queryState', { path, data, prove: options.prove ?? false }, options);
  }
  /** The events of the node's bus; none given = all. */
  followEvents(names: readonly string[] = [], options?: CallOptions): AsyncGenerator<EventReply, void> {
    return this.#connection.stream('followEvents', { names }, options);
  }

  /** Closes the connection; calls under way fail. */
  close(): void {
    this.#connection.close();
  }
}

/** Makes a client. Nothing is sent before the first call. */
export function createClient(options: ClientOptions): Client {
  return new Client(options);
}
