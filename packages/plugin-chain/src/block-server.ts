import {
  BlockRangeAnswer,
  BlockRangeRequest,
  PEER_KINDS,
  failure,
  isItChainError,
  messageOf,
  type Chain,
  type Clock,
  type Log,
  type PeerAsked,
  type Transport,
} from '@it-chain/contracts';
import { LRUCache } from 'lru-cache';
import type { SnapshotServer } from './snapshot-server.js';

/** Peers whose rate is remembered. */
const REMEMBERED_PEERS = 1_000;

interface Bucket {
  tokens: number;
  at: number;
}

/** Answers the requests of peers for blocks and snapshots, each peer at a bounded rate. */
export class BlockServer {
  readonly #rate: number;
  readonly #chain: Chain;
  readonly #snapshots: SnapshotServer;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #buckets = new LRUCache<string, Bucket>({ max: REMEMBERED_PEERS });

  constructor(
    options: { readonly peerRequestsPerSecond: number },
    dependencies: {
      readonly chain: Chain;
      readonly snapshots: SnapshotServer;
      readonly transport: Transport;
      readonly clock: Clock;
      readonly log: Log;
    },
  ) {
    this.#rate = options.peerRequestsPerSecond;
    this.#chain = dependencies.chain;
    this.#snapshots = dependencies.snapshots;
    this.#transport = dependencies.transport;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
  }

  /** Answers one request of the kind `blocks` or `snapshot`; an error crosses by its code. Never throws. */
  async answer(asked: PeerAsked): Promise<void> {
    const { requestId } = asked;
    try {
      await this.#transport.answer({ requestId, errorCode: '', errorMessage: '', body: await this.#body(asked) });
    } catch (error) {
      const errorCode = isItChainError(error) ? error.code : 'ERR_INTERNAL';
      this.#log.debug('a request for blocks is refused', {
        peer: asked.from,
        code: errorCode,
        reason: messageOf(error),
      });
      await this.#refuse(requestId, errorCode, isItChainError(error) ? error.message.slice(0, 1_024) : '');
    }
  }

  async #body(asked: PeerAsked): Promise<Uint8Array> {
    if (!this.#admit(asked.from)) {
      throw failure('ERR_PEER_BUSY', `more than ${this.#rate} requests for blocks per second`, { retryable: true });
    }
    if (asked.kind === PEER_KINDS.snapshot) return this.#snapshots.answer(asked.body);
    return BlockRangeAnswer.encode(await this.#chain.range(BlockRangeRequest.decode(asked.body)));
  }

  async #refuse(requestId: string, errorCode: string, errorMessage: string): Promise<void> {
    try {
      await this.#transport.answer({ requestId, errorCode, errorMessage, body: new Uint8Array(0) });
    } catch (error) {
      this.#log.debug('a refusal could not be sent', { requestId, reason: messageOf(error) });
    }
  }

  /** A token bucket per peer: the rate per second, and as much again at once. */
  #admit(peer: string): boolean {
    const now = this.#clock.monotonic();
    const bucket = this.#buckets.get(peer) ?? { tokens: this.#rate, at: now };
    bucket.tokens = Math.min(this.#rate, bucket.tokens + ((now - bucket.at) * this.#rate) / 1_000);
    bucket.at = now;
    this.#buckets.set(peer, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}
