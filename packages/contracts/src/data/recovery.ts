import { sameBytes } from '../schema/index.js';
import { Genesis } from './genesis.js';
import { NO_NETWORK, signingBytes, verifySignature } from './signing.js';
import { type SystemState } from './system-state.js';

/** Height of the state that a network begins with: 0, or that of the block after which it recovers another one. */
export const beginningOf = ({ recovery }: Pick<Genesis, 'recovery'>): number => recovery?.height ?? 0;

/** What the operator signs: the whole genesis, with zeros in the place of the signature. @throws TypeError without a recovery */
export function recoveryContent(genesis: Genesis): Uint8Array {
  if (genesis.recovery === undefined) throw new TypeError('a genesis without a recovery');
  return Genesis.encode({ ...genesis, recovery: { ...genesis.recovery, signature: new Uint8Array(64) } });
}

/** {@link recoveryContent} behind the tag of its domain and the network that is recovered. */
export const recoverySigningBytes = (genesis: Genesis): Uint8Array =>
  signingBytes('recovery', genesis.recovery?.network ?? NO_NETWORK, recoveryContent(genesis));

/**
 * The rule that the recovery in a genesis breaks by itself, or undefined; also where there is none. Whether the network
 * and the block that it names are those of a node, that node must say.
 */
export function recoveryProblem(genesis: Genesis): string | undefined {
  const { recovery, founder, validators } = genesis;
  if (recovery === undefined) return undefined;
  if (recovery.height === 0) return 'recovers a network without blocks';
  if (sameBytes(recovery.network, NO_NETWORK)) return 'recovers no network';
  if (!validators.some((key) => sameBytes(key, founder))) return 'is recovered by a key that is none of its validators';
  const distinct = new Set(validators.map((key) => Buffer.from(key).toString('hex'))).size;
  if (distinct !== validators.length) return 'names a validator twice';
  if (verifySignature(founder, recoverySigningBytes(genesis), recovery.signature)) return undefined;
  return 'has a recovery that its founder did not sign';
}

/**
 * The members that a recovered network begins with: the new set in its order, and the learners that are not in it. Policy
 * and evicted keys stay; what was open to the vote is given up, since the votes on it name members by sequence numbers
 * that are given anew.
 */
export function recoveredSystemState(before: SystemState, keys: readonly Uint8Array[]): SystemState {
  const validators = keys.map((publicKey, sequence) => ({ publicKey, sequence }));
  const learners = before.learners
    .filter(({ publicKey }) => !keys.some((key) => sameBytes(key, publicKey)))
    .map((learner, index) => ({ ...learner, sequence: validators.length + index }));
  return {
    ...before,
    validators,
    learners,
    nextSequence: validators.length + learners.length,
    proposals: [],
  };
}

/** True where a key belongs to the network: a validator of the next heights, or a learner. */
export function isMemberOf(system: SystemState, key: Uint8Array): boolean {
  return [...system.validators, ...system.learners].some(({ publicKey }) => sameBytes(publicKey, key));
}
