import { failure } from '../errors/fail.js';
import type { SignatureCheck } from '../plugin/plugin.js';
import { sameBytes } from '../schema/index.js';
import type { Certificate } from './block.js';
import { quorumOf, type ValidatorSet } from './validator-set.js';
import { voteSigningBytes } from './vote.js';

/**
 * What must be verified before a certificate proves that the block with `digest` was decided by `set`, which is
 * V(certificate.height): the COMMIT signatures of a quorum of distinct members. More than a quorum are not looked at.
 * The certificate is valid where every check of the list holds.
 * @param quorum how many seals decide in a set of `n`: those of QBFT by default, `majorityOf` for an engine that only crashes
 * @throws ERR_CERTIFICATE_INVALID where it cannot be valid whatever its signatures: another digest, too few seals, a
 * seal of no member, one member twice
 */
export function certificateChecks(
  certificate: Certificate,
  network: Uint8Array,
  set: ValidatorSet,
  digest: Uint8Array,
  quorum: (n: number) => number = quorumOf,
): SignatureCheck[] {
  const { height, round, seals } = certificate;
  const invalid = (what: string): Error =>
    failure('ERR_CERTIFICATE_INVALID', `the certificate of height ${height}, round ${round} ${what}`);
  const n = set.validators.length;
  const due = quorum(n);
  if (!sameBytes(certificate.digest, digest)) throw invalid('is for another block');
  if (seals.length < due) throw invalid(`has ${seals.length} seals where ${due} of ${n} are due`);
  if (seals.length > n) throw invalid(`has ${seals.length} seals of ${n} validators`);
  const message = voteSigningBytes(network, { type: 'commit', height, round, digest });
  const members = new Set<number>();
  const checks: SignatureCheck[] = [];
  for (const { validator, signature } of seals) {
    const member = set.validators[validator];
    if (member === undefined) throw invalid(`has a seal of validator ${validator} of ${n}`);
    if (members.has(validator)) throw invalid(`has two seals of validator ${validator}`);
    members.add(validator);
    if (checks.length < due) checks.push({ publicKey: member.publicKey, message, signature });
  }
  return checks;
}
