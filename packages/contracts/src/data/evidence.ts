import { bytes, choice, message, sameBytes, uint32, uint64, type Infer } from '../schema/index.js';
import type { SignatureCheck } from '../plugin/plugin.js';
import { compareBytes } from './hash.js';
import { verifySignature } from './signing.js';
import { VOTE_TYPES, voteSigningBytes } from './vote.js';

/**
 * Proof that a validator signed two votes of one type, height and round. Canonical: the lower digest is the first, so that
 * the same two votes are the same evidence. Only signatures count, so anybody can check it.
 */
export const EquivocationEvidence = message('EquivocationEvidence', {
  /** Key of the signer. */
  publicKey: bytes(1, { length: 32 }),
  type: choice(2, 'VoteType', VOTE_TYPES),
  height: uint64(3),
  round: uint32(4),
  firstDigest: bytes(5, { length: 32 }),
  firstSignature: bytes(6, { length: 64 }),
  secondDigest: bytes(7, { length: 32 }),
  secondSignature: bytes(8, { length: 64 }),
});
export type EquivocationEvidence = Infer<typeof EquivocationEvidence>;

/** One signed half of the evidence. */
export interface SignedHalf {
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
}

/** Puts two votes into the canonical order. */
export function equivocation(
  vote: Pick<EquivocationEvidence, 'publicKey' | 'type' | 'height' | 'round'>,
  a: SignedHalf,
  b: SignedHalf,
): EquivocationEvidence {
  const [first, second] = compareBytes(a.digest, b.digest) < 0 ? [a, b] : [b, a];
  const { publicKey, type, height, round } = vote;
  return {
    publicKey,
    type,
    height,
    round,
    firstDigest: first.digest,
    firstSignature: first.signature,
    secondDigest: second.digest,
    secondSignature: second.signature,
  };
}

/** Why the form of evidence is wrong, or undefined. Its signatures are another question: {@link evidenceHolds}. */
export function evidenceProblem({ type, firstDigest, secondDigest }: EquivocationEvidence): string | undefined {
  if (type === 'none') return 'the type of the votes is not known';
  if (sameBytes(firstDigest, secondDigest)) return 'both votes are for the same digest';
  return compareBytes(firstDigest, secondDigest) < 0 ? undefined : 'the votes are not in the order of their digests';
}

/** The two signatures that evidence stands on. */
export function evidenceChecks(network: Uint8Array, evidence: EquivocationEvidence): SignatureCheck[] {
  const { publicKey, type, height, round, firstDigest, firstSignature, secondDigest, secondSignature } = evidence;
  const check = (digest: Uint8Array, signature: Uint8Array): SignatureCheck => ({
    publicKey,
    message: voteSigningBytes(network, { type, height, round, digest }),
    signature,
  });
  return [check(firstDigest, firstSignature), check(secondDigest, secondSignature)];
}

/** True where both signatures of well-formed evidence are valid on this network. */
export function evidenceHolds(network: Uint8Array, evidence: EquivocationEvidence): boolean {
  return evidenceChecks(network, evidence).every(({ publicKey, message: content, signature }) =>
    verifySignature(publicKey, content, signature),
  );
}
