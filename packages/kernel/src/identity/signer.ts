import {
  failure,
  signBytes,
  signingBytes,
  voteSigningBytes,
  type Domain,
  type Identity,
  type IdentityAnswer,
  type KeyPair,
  type NodeIdentity,
  type VoteContent,
} from '@it-chain/contracts';
import type { VoteGuard } from './vote-guard.js';

/** Every domain but `vote`, which has a call of its own. */
const DOMAINS: ReadonlySet<string> = new Set<Exclude<Domain, 'vote'>>([
  'handshake',
  'record',
  'transaction',
  'genesis',
  'join',
  'block',
  'recovery',
]);

/** Serves the role identity: signs with the node's key, votes only after the guard has them on disk. */
export class Signer implements Identity {
  readonly #identity: NodeIdentity;
  readonly #keys: KeyPair;
  readonly #guard: VoteGuard;

  constructor(
    options: { readonly identity: NodeIdentity },
    dependencies: { readonly keys: KeyPair; readonly guard: VoteGuard },
  ) {
    this.#identity = options.identity;
    this.#keys = dependencies.keys;
    this.#guard = dependencies.guard;
  }

  /** @throws ERR_IDENTITY_DOMAIN_REFUSED */
  async sign(request: {
    readonly domain: string;
    readonly network: Uint8Array;
    readonly content: Uint8Array;
  }): Promise<{ readonly signature: Uint8Array }> {
    if (!DOMAINS.has(request.domain)) {
      throw failure('ERR_IDENTITY_DOMAIN_REFUSED', `"${request.domain}" is not signed by identity.sign`);
    }
    const bytes = signingBytes(request.domain as Domain, request.network, request.content);
    return Promise.resolve({ signature: signBytes(bytes, this.#keys.secretKey) });
  }

  /** @throws ERR_IDENTITY_DOUBLE_SIGN, ERR_IDENTITY_STALE_VOTE, ERR_IDENTITY_GUARD_FAILED, ERR_DATA_INVALID */
  async signVote(request: {
    readonly network: Uint8Array;
    readonly vote: VoteContent;
  }): Promise<{ readonly signature: Uint8Array }> {
    await this.#guard.note(request.network, request.vote);
    // Ed25519 is deterministic, so the same vote has the same signature without keeping it.
    return { signature: signBytes(voteSigningBytes(request.network, request.vote), this.#keys.secretKey) };
  }

  get(): Promise<IdentityAnswer> {
    const { publicKey, nodeId, name } = this.#identity;
    return Promise.resolve({ publicKey, nodeId, name });
  }
}
