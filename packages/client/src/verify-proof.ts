import {
  BlockHeader,
  concatBytes,
  decodeTransaction,
  failure,
  headerDigest,
  nodeIdOf,
  quorumOf,
  sameBytes,
  toHex,
  validatorSetHash,
  verifyMerklePath,
  verifySignature,
  voteSigningBytes,
  type Certificate,
  type Infer,
  type TransactionProof,
  type ValidatorSet,
} from '@it-chain/contracts';

/** What a valid proof shows. */
export interface ProvenTransaction {
  /** 32 bytes. */
  readonly id: Uint8Array;
  readonly height: number;
  readonly index: number;
  /** Digest of the block, 32 bytes. */
  readonly digest: Uint8Array;
  /** Node ids of the validators that signed. */
  readonly signers: readonly string[];
}

/** What the verifier knows without the node: the network, and the validators it trusts at that height, where it does. */
export interface Trust {
  /** Digest of the genesis, 32 bytes. */
  readonly network: Uint8Array;
  /** Without it the validators in the proof are taken, and the proof is only as good as the node that gave it. */
  readonly validators?: ValidatorSet | undefined;
}

/**
 * Checks offline that a transaction is in the chain: Merkle path, header, and the signatures of a quorum.
 * @throws ERR_CLI_PROOF_INVALID naming what does not hold
 */
export function verifyTransactionProof(proof: Infer<typeof TransactionProof>, trust: Trust): ProvenTransaction {
  const header = BlockHeader.decodeCanonical(proof.header);
  const { id, value } = decodeTransaction(proof.transaction);
  if (!sameBytes(header.network, trust.network)) throw invalid(`it is of network ${toHex(header.network)}`);
  if (!sameBytes(value.network, trust.network)) throw invalid('the transaction is of another network');
  const leaf = concatBytes(id, value.signature);
  if (!verifyMerklePath(leaf, proof.index, header.transactionCount, proof.path, header.transactionRoot)) {
    throw invalid('the Merkle path does not lead to the root in the header');
  }
  const validators = trust.validators ?? proof.validators;
  if (!sameBytes(validatorSetHash(validators), header.validators))
    throw invalid('the validators are not those of the header');
  const digest = headerDigest(proof.header, trust.network);
  const signers = verifyCertificate(proof.certificate, {
    network: trust.network,
    height: header.height,
    digest,
    validators,
  });
  return { id, height: header.height, index: proof.index, digest, signers };
}

/**
 * Checks that a quorum of `validators` signed for a block. Returns the node ids of the signers.
 * @throws ERR_CLI_PROOF_INVALID
 */
export function verifyCertificate(
  certificate: Certificate,
  block: {
    readonly network: Uint8Array;
    readonly height: number;
    readonly digest: Uint8Array;
    readonly validators: ValidatorSet;
  },
): string[] {
  const { height, digest, network, validators } = block;
  if (certificate.height !== height || !sameBytes(certificate.digest, digest)) {
    throw invalid(`the certificate is for height ${certificate.height}, digest ${toHex(certificate.digest)}`);
  }
  const content = voteSigningBytes(network, { type: 'commit', height, round: certificate.round, digest });
  const signers = new Map<number, string>();
  for (const { validator, signature } of certificate.seals) {
    const key = validators.validators[validator]?.publicKey;
    if (key === undefined || !verifySignature(key, content, signature))
      throw invalid(`the signature of validator ${validator} is not valid`);
    signers.set(validator, nodeIdOf(key));
  }
  const quorum = quorumOf(validators.validators.length);
  if (signers.size < quorum) throw invalid(`${signers.size} validators signed where ${quorum} are due`);
  return [...signers.values()];
}

function invalid(what: string): Error {
  return failure('ERR_CLI_PROOF_INVALID', `the proof does not hold: ${what}`);
}
