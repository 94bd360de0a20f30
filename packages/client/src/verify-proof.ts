import {
  BlockHeader,
  certificateChecks,
  decodeTransaction,
  failure,
  headerDigest,
  messageOf,
  nodeIdOf,
  sameBytes,
  toHex,
  transactionLeaf,
  validatorSetHash,
  verifyMerklePath,
  verifySignature,
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
  /** Signatures that decide among `n` validators: those of QBFT by default; `majorityOf` for a network that runs Raft. */
  readonly quorum?: ((n: number) => number) | undefined;
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
  const leaf = transactionLeaf(id, proof.transaction);
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
    quorum: trust.quorum,
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
    readonly quorum?: ((n: number) => number) | undefined;
  },
): string[] {
  const { height, digest, network, validators, quorum } = block;
  if (certificate.height !== height) throw invalid(`the certificate is for height ${certificate.height}`);
  const checks = checksOf(certificate, network, validators, digest, quorum);
  const wrong = checks.findIndex(
    ({ publicKey, message, signature }) => !verifySignature(publicKey, message, signature),
  );
  if (wrong >= 0) throw invalid('a signature of the certificate is not valid');
  return checks.map(({ publicKey }) => nodeIdOf(publicKey));
}

function checksOf(...of: Parameters<typeof certificateChecks>): ReturnType<typeof certificateChecks> {
  try {
    return certificateChecks(...of);
  } catch (error) {
    throw invalid(messageOf(error));
  }
}

function invalid(what: string): Error {
  return failure('ERR_CLI_PROOF_INVALID', `the proof does not hold: ${what}`);
}
