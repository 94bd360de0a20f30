import { bytes, message, nested, repeated, uint64, type Infer } from '../schema/index.js';
import { sameBytes } from '../schema/index.js';
import { sha256 } from './hash.js';

/** A validator: its key and when it joined. */
export const Validator = message('Validator', {
  publicKey: bytes(1, { length: 32 }),
  /** Grows with every join; gives the order, and the successor of a proposer that left. */
  sequence: uint64(2),
});
export type Validator = Infer<typeof Validator>;

/** The validators of one height, in the order of joining. Canonical. */
export const ValidatorSet = message('ValidatorSet', { validators: repeated(nested(1, Validator), { maxItems: 1_000 }) });
export type ValidatorSet = Infer<typeof ValidatorSet>;

/** Hash of a set, as block headers carry it. 32 bytes. */
export function validatorSetHash(set: ValidatorSet): Uint8Array {
  return sha256(ValidatorSet.encode(set));
}

/** Byzantine validators that a set of `n` tolerates: floor((n-1)/3). */
export const faultTolerance = (n: number): number => Math.floor((n - 1) / 3);

/** Votes that decide in a set of `n`: ceil(2n/3). Two quorums share an honest validator for every n >= 1. */
export const quorumOf = (n: number): number => Math.floor((2 * n - 1) / 3) + 1;

/** More than half of a set of `n`: what decides where validators may crash but never lie. Two of them share a validator. */
export const majorityOf = (n: number): number => Math.floor(n / 2) + 1;

/** The position of a key in a set, or -1. */
export function validatorIndex(set: ValidatorSet, publicKey: Uint8Array): number {
  return set.validators.findIndex((validator) => sameBytes(validator.publicKey, publicKey));
}

/** What {@link leaderOf} needs to know of the block before. */
export interface PreviousProposer {
  readonly publicKey: Uint8Array;
  /** Its join sequence number. */
  readonly sequence: number;
}

/**
 * leader(h, r) of the consensus document: the proposer of the block before stays (sticky) unless `leaderTerm` moves the
 * lead on, and each round above 0 moves it by one. If that proposer has left, the first validator that joined later
 * takes its place, else the first of all.
 * @returns the index in `set`
 */
export function leaderOf(
  set: ValidatorSet,
  height: number,
  round: number,
  previous: PreviousProposer,
  leaderTerm: number,
): number {
  const n = set.validators.length;
  if (n === 0) throw new RangeError('a validator set has at least one member');
  let index = validatorIndex(set, previous.publicKey);
  if (index < 0) index = Math.max(0, set.validators.findIndex((validator) => validator.sequence > previous.sequence));
  if (leaderTerm > 0 && height % leaderTerm === 0) index += 1;
  return (index + round) % n;
}
