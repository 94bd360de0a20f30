import { concatBytes, sameBytes, sha256, toHex, utf8 } from '@it-chain/contracts';
import type { Vote } from './machine.js';

/**
 * Keys of a simulation. A keyed hash stands for Ed25519: it cannot be made without the secret, which is all that the
 * protocol asks of a signature, and costs a hundredth.
 */
export class Keyring {
  readonly #publicKeys: Uint8Array[] = [];
  readonly #secrets: Uint8Array[] = [];
  readonly #indices = new Map<string, number>();
  readonly #byObject = new Map<Uint8Array, number>();
  /** Votes whose signature was looked at; a vote object is never changed. */
  readonly #verdicts = new WeakMap<Vote, boolean>();
  readonly #signedBytes: (vote: Vote) => Uint8Array;

  constructor(count: number, signedBytes: (vote: Vote) => Uint8Array) {
    this.#signedBytes = signedBytes;
    for (let index = 0; index < count; index += 1) {
      const key = publicKeyOf(index);
      this.#publicKeys.push(key);
      this.#secrets.push(sha256(utf8(`secret ${index}`)));
      this.#indices.set(toHex(key), index);
      this.#byObject.set(key, index);
    }
  }

  /** The public key of an identity. */
  key(index: number): Uint8Array {
    return this.#publicKeys[index] ?? publicKeyOf(index);
  }

  /** The identity of a public key, -1 for a stranger. */
  indexOf(key: Uint8Array): number {
    return this.#byObject.get(key) ?? this.#indices.get(toHex(key)) ?? -1;
  }

  /** Signs as an identity. 64 bytes. */
  sign(index: number, message: Uint8Array): Uint8Array {
    const tag = sha256(concatBytes(this.#secrets[index] ?? new Uint8Array(0), message));
    return concatBytes(tag, tag);
  }

  /** A copy of the vote with the signature of its signer, who must be one of this ring. */
  signVote(vote: Vote): Vote {
    const signed = { ...vote, signature: this.sign(this.indexOf(vote.signer), this.#signedBytes(vote)) };
    this.#verdicts.set(signed, true);
    return signed;
  }

  /** Whether this signer made the signature of the message. */
  verify(signer: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
    const index = this.indexOf(signer);
    return index >= 0 && sameBytes(signature, this.sign(index, message));
  }

  /** Whether the signer of a vote signed it. */
  verifyVote(vote: Vote): boolean {
    const known = this.#verdicts.get(vote);
    if (known !== undefined) return known;
    const verdict = this.verify(vote.signer, this.#signedBytes(vote), vote.signature);
    this.#verdicts.set(vote, verdict);
    return verdict;
  }
}

/** The public key of identity `index` in every simulation: no point of the curve, which nobody looks at. */
export function publicKeyOf(index: number): Uint8Array {
  return sha256(utf8(`validator ${index}`));
}
