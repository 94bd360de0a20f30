import {
  BlockHeader,
  Certificate,
  Genesis,
  ItChainError,
  ValidatorSet,
  bytes,
  certificateChecks,
  genesisValidators,
  headerDigest,
  message,
  messageOf,
  nested,
  networkOf,
  sameBytes,
  stateRootOf,
  toHex,
  validatorSetHash,
  verifySignature,
  verifySparseProof,
  type Infer,
} from '@it-chain/contracts';
import { recordKey } from './notary-application.js';
import { NotaryRecord } from './operation.js';

/** All that shows, without a node, who registered a document and when. */
export const NotaryProof = message('NotaryProof', {
  /** Encoded {@link NotaryRecord}. */
  record: bytes(1, { maxLength: 1_024 }),
  /** That the record is in the state of the application: an encoded `SparseProof`. */
  path: bytes(2, { maxLength: 65_536 }),
  applicationRoot: bytes(3, { length: 32 }),
  systemRoot: bytes(4, { length: 32 }),
  /** The encoded header that names this state root as the one after the block before. */
  header: bytes(5, { maxLength: 1_024 }),
  /** What the validators of that header signed. */
  certificate: nested(6, Certificate),
  validators: nested(7, ValidatorSet),
  /** Encoded genesis, from which the first validators are known. */
  genesis: bytes(8, { maxLength: 65_536 }),
});
export type NotaryProof = Infer<typeof NotaryProof>;

/** What the verifier knows beforehand. */
export interface Trust {
  /** Digest of the genesis, 32 bytes. */
  readonly network: Uint8Array;
  /** The validators it trusts; left out, those of the genesis. */
  readonly validators?: ValidatorSet | undefined;
}

/**
 * Checks a proof with nothing but itself and the trust: record -> application root -> state root -> header -> signatures.
 * @throws ERR_NOTARY_PROOF_INVALID saying which step does not hold
 */
export function verifyNotaryProof(encoded: Uint8Array, document: Uint8Array, trust: Trust): NotaryRecord {
  const { proof, header, record } = read(encoded);
  if (!verifySparseProof(proof.applicationRoot, recordKey(document), proof.record, proof.path)) {
    throw invalid('the record is not that of this document in the state');
  }
  if (!sameBytes(stateRootOf(proof.systemRoot, proof.applicationRoot), header.previousStateRoot)) {
    throw invalid('the state is not the one that the header names');
  }
  if (!sameBytes(header.network, trust.network)) throw invalid(`it is of the network ${toHex(header.network)}`);
  const validators = trust.validators ?? validatorsOf(proof.genesis, trust.network);
  if (!sameBytes(validatorSetHash(validators), header.validators)) {
    throw invalid(
      'the header is signed by other validators than those that are trusted; name the validators of its height',
    );
  }
  requireSeals(proof, header, validators, trust.network);
  return record;
}

function read(encoded: Uint8Array): { proof: NotaryProof; header: BlockHeader; record: NotaryRecord } {
  try {
    const proof = NotaryProof.decode(encoded);
    const header = BlockHeader.decodeCanonical(proof.header);
    return { proof, header, record: NotaryRecord.decodeCanonical(proof.record) };
  } catch (error) {
    throw invalid(`it cannot be read: ${messageOf(error)}`);
  }
}

function validatorsOf(encoded: Uint8Array, network: Uint8Array): ValidatorSet {
  let genesis: Genesis;
  try {
    genesis = Genesis.decodeCanonical(encoded);
  } catch (error) {
    throw invalid(`its genesis cannot be read: ${messageOf(error)}`);
  }
  if (!sameBytes(networkOf(genesis), network)) throw invalid('its genesis is that of another network');
  return genesisValidators(genesis);
}

function requireSeals(proof: NotaryProof, header: BlockHeader, validators: ValidatorSet, network: Uint8Array): void {
  const digest = headerDigest(proof.header, network);
  if (proof.certificate.height !== header.height) throw invalid('the certificate is of another height');
  let checks: ReturnType<typeof certificateChecks>;
  try {
    checks = certificateChecks(proof.certificate, network, validators, digest);
  } catch (error) {
    throw invalid(messageOf(error));
  }
  if (!checks.every((one) => verifySignature(one.publicKey, one.message, one.signature))) {
    throw invalid('a signature of the certificate is not valid');
  }
}

function invalid(what: string): Error {
  return new ItChainError('ERR_NOTARY_PROOF_INVALID', `the proof does not hold: ${what}`);
}
