import {
  ChainTip,
  Genesis,
  chainKeys,
  failure,
  messageOf,
  networkOf,
  p2pKeys,
  type Log,
  type P2p,
  type Storage,
} from '@it-chain/contracts';

/** What the pool judges transactions by. */
export interface NetworkFacts {
  /** Digest of the genesis, or of the candidate before founding. */
  readonly network: Uint8Array;
  readonly founded: boolean;
  /** W of the network, in heights. */
  readonly window: number;
  readonly maxTransactionBytes: number;
}

/** What the pool knows of the network, the tip and the leader. Events tell it; asking again repairs a lost one. */
export class NetworkView {
  readonly #p2p: P2p;
  readonly #storage: Storage;
  readonly #log: Log;
  #facts: NetworkFacts | undefined;
  /** Height of the last block that the pool has heard of. */
  height = 0;
  leaderKnown = false;

  constructor(dependencies: { readonly p2p: P2p; readonly storage: Storage; readonly log: Log }) {
    this.#p2p = dependencies.p2p;
    this.#storage = dependencies.storage;
    this.#log = dependencies.log;
  }

  get facts(): NetworkFacts | undefined {
    return this.#facts;
  }

  /** What is known, asked for where nothing is. @throws ERR_NETWORK_UNFOUNDED where p2p does not answer yet */
  async need(): Promise<NetworkFacts> {
    if (this.#facts === undefined) await this.askNetwork();
    if (this.#facts !== undefined) return this.#facts;
    throw failure('ERR_NETWORK_UNFOUNDED', 'it is not known yet which network transactions must be signed for', {
      retryable: true,
      hint: 'Wait until the node is ready and send it again.',
    });
  }

  /**
   * Asks p2p for the network or the candidate. A genesis that p2p has stored and not yet settled on counts before the
   * candidate, or a restart would take what was signed for it for foreign.
   * Throws only where the store does.
   */
  async askNetwork(): Promise<void> {
    const answer = await this.#answer();
    const bytes = answer?.genesis ?? (await this.#storedGenesis()) ?? answer?.candidate;
    if (bytes === undefined) return;
    try {
      const genesis = Genesis.decodeCanonical(bytes);
      this.#facts = {
        network: networkOf(genesis),
        founded: answer?.genesis !== undefined,
        window: genesis.window,
        maxTransactionBytes: genesis.maxTransactionBytes,
      };
    } catch (error) {
      this.#log.warn('the genesis cannot be read', { reason: messageOf(error) });
    }
  }

  async #answer(): Promise<Awaited<ReturnType<P2p['network']>> | undefined> {
    try {
      return await this.#p2p.network({});
    } catch (error) {
      this.#log.debug('p2p does not say what the network is', { reason: messageOf(error) });
      return undefined;
    }
  }

  async #storedGenesis(): Promise<Uint8Array | undefined> {
    const { values } = await this.#storage.read({ namespace: 'p2p', keys: [p2pKeys.genesis] });
    return values[0]?.value;
  }

  /** Asks p2p who leads. Never throws. */
  async askLeader(): Promise<void> {
    try {
      this.leaderKnown = (await this.#p2p.leader({})).publicKey !== undefined;
    } catch (error) {
      this.#log.debug('p2p does not say who leads', { reason: messageOf(error) });
    }
  }

  /** The height of the tip in the store. */
  async storedHeight(): Promise<number> {
    const { values } = await this.#storage.read({ namespace: 'chain', keys: [chainKeys.tip] });
    const value = values[0]?.value;
    return value === undefined ? 0 : ChainTip.decode(value).height;
  }
}
