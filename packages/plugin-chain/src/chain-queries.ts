import {
  Certificate,
  failure,
  merklePath,
  policyOf,
  quorumOf,
  sameBytes,
  toHex,
  transactionId,
  transactionLeaf,
  validatorIndex,
  type Chain,
  type MemberRole,
  type ValidatorSet,
} from '@it-chain/contracts';
import type { ChainState } from './chain-state.js';
import type { ChainStore } from './chain-store.js';

type Answer<C extends keyof Chain> = Awaited<ReturnType<NonNullable<Chain[C]>>>;
type Asked<C extends keyof Chain> = Parameters<NonNullable<Chain[C]>>[0];

/** Most ids in one question of where they are; as many as a block may hold. */
const MAX_LOCATED = 65_536;

/** Answers questions about what is committed. */
export class ChainQueries {
  readonly #limits: { readonly rangeBlocks: number; readonly rangeBytes: number };
  readonly #store: ChainStore;
  readonly #state: () => ChainState;
  readonly #founded: () => boolean;

  constructor(
    options: { readonly rangeBlocks: number; readonly rangeBytes: number },
    dependencies: { readonly store: ChainStore; readonly state: () => ChainState; readonly founded: () => boolean },
  ) {
    this.#limits = options;
    this.#store = dependencies.store;
    this.#state = dependencies.state;
    this.#founded = dependencies.founded;
  }

  /** A block by height, or by digest where that is given; empty where there is none. */
  async get({ height, digest }: Asked<'get'>): Promise<Answer<'get'>> {
    this.#state();
    const at = digest === undefined ? height : await this.#store.heightOf(digest);
    const found = at === undefined || at < 1 ? undefined : await this.#store.block(at);
    if (found === undefined) return { digest: new Uint8Array(0) };
    const { block, certificate, digest: stored } = found;
    return { block: { block, certificate }, digest: stored };
  }

  /** Blocks from a height on, within the limits of this node and of the request. */
  async range({ from, maxCount, maxBytes }: Asked<'range'>): Promise<Answer<'range'>> {
    const { tip } = this.#state();
    const { rangeBlocks, rangeBytes } = this.#limits;
    const count = Math.min(maxCount === 0 ? rangeBlocks : maxCount, rangeBlocks);
    const bytes = Math.min(maxBytes === 0 ? rangeBytes : maxBytes, rangeBytes);
    const first = Math.max(1, from);
    return { blocks: first > tip.height ? [] : await this.#store.range(first, count, bytes) };
  }

  /** Where transactions are committed, with their receipts. */
  async locate({ ids }: Asked<'locate'>): Promise<Answer<'locate'>> {
    this.#state();
    const locations = await this.#store.locations(ids.slice(0, MAX_LOCATED));
    const transactions: Answer<'locate'>['transactions'][number][] = [];
    for (const location of locations) {
      if (location === undefined) transactions.push({});
      else {
        const receipt = (await this.#store.receipts(location.height))[location.index];
        transactions.push({ location, receipt });
      }
    }
    return { transactions };
  }

  /** @throws ERR_BLOCK_NOT_FOUND where the transaction is not committed here, or too long ago */
  async prove({ id }: Asked<'prove'>): Promise<Answer<'prove'>> {
    const { network } = this.#state();
    const [location] = await this.#store.locations([id]);
    if (location === undefined) {
      throw failure('ERR_BLOCK_NOT_FOUND', `no block within the window holds the transaction ${toHex(id)}`);
    }
    const { height, index } = location;
    if (height <= (this.#store.base?.height ?? 0)) {
      throw failure(
        'ERR_BLOCK_NOT_FOUND',
        `the chain begins with a snapshot here: block ${height} is not in the store`,
      );
    }
    const stored = await this.#store.header(height);
    const body = stored === undefined ? undefined : await this.#store.body(height, stored.digest);
    const transaction = body?.transactions[index];
    if (stored === undefined || body === undefined || transaction === undefined) {
      throw failure('ERR_STORAGE_DAMAGED', `block ${height} is not whole in the store`);
    }
    const leaves = body.transactions.map((encoded) => transactionLeaf(transactionId(encoded, network), encoded));
    return {
      transaction,
      header: stored.header,
      certificate: Certificate.decode(stored.certificate),
      index,
      path: merklePath(leaves, index),
      validators: await this.#setAt(height),
    };
  }

  /** The set of a height from 1 to the tip plus 2; 0 asks for the next height. @throws ERR_BLOCK_NOT_FOUND */
  async validators(request: Asked<'validators'>): Promise<Answer<'validators'>> {
    const height = request.height === 0 ? this.#state().tip.height + 1 : request.height;
    const validators = await this.#setAt(height);
    return { height, validators, quorum: quorumOf(validators.validators.length) };
  }

  /** What these keys are at the tip: `validator` in V(tip+1), `learner` also while a promotion waits for its height. */
  roles({ publicKeys }: Asked<'roles'>): Promise<Answer<'roles'>> {
    if (!this.#founded()) return Promise.resolve({ roles: publicKeys.map(() => ({ role: 'unfounded' })) });
    const { tip } = this.#state();
    const roleOf = (publicKey: Uint8Array): MemberRole => {
      if (validatorIndex(tip.validators, publicKey) >= 0) return 'validator';
      const learner = tip.learners.some((one) => sameBytes(one.publicKey, publicKey));
      return learner || validatorIndex(tip.nextValidators, publicKey) >= 0 ? 'learner' : 'observer';
    };
    return Promise.resolve({ roles: publicKeys.map((publicKey) => ({ role: roleOf(publicKey) })) });
  }

  /** Who belongs to the network at the tip, and what is voted on. */
  async members(): Promise<Answer<'members'>> {
    const { tip, system, genesis } = this.#state();
    // Read in the same turn, so that all of it is of one height.
    return Promise.resolve({
      height: tip.height,
      validators: tip.validators,
      state: { ...system, proposals: system.proposals.filter(({ expiresAt }) => expiresAt > tip.height) },
      policy: policyOf(system, genesis),
      minValidators: Math.max(1, genesis.minValidators),
      leaderTerm: genesis.leaderTerm,
    });
  }

  async #setAt(height: number): Promise<ValidatorSet> {
    const { tip } = this.#state();
    if (height === tip.height + 1) return tip.validators;
    if (height === tip.height + 2) return tip.nextValidators;
    const set = height > tip.height ? undefined : await this.#store.validators(height);
    if (set !== undefined) return set;
    throw failure('ERR_BLOCK_NOT_FOUND', `the validators of height ${height} are not known at height ${tip.height}`);
  }
}
