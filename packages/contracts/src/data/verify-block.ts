import { sameBytes } from '../schema/index.js';
import { failure } from '../errors/fail.js';
import { isItChainError, messageOf } from '../errors/it-chain-error.js';
import { Block, BlockHeader, Certificate, headerDigest, type CertifiedBlock } from './block.js';
import { certificateChecks } from './certificate.js';
import { concatBytes, sha256 } from './hash.js';
import { genesisValidators, networkOf, type Genesis } from './genesis.js';
import { leafHash, merkleRootOfHashes } from './merkle.js';
import { verifySignature } from './signing.js';
import { applyMembership } from './apply-membership.js';
import { genesisSystemState, scheduledSet, type SystemState } from './system-state.js';
import { decodeTransaction, transactionId, transactionSigningBytes, type DecodedTransaction } from './transaction.js';
import { validatorIndex, validatorSetHash, type ValidatorSet } from './validator-set.js';

/** The leaf of the transaction tree: id (32 bytes) and signature (64 bytes), so that one root has exactly one body. */
export const transactionLeaf = (id: Uint8Array, encoded: Uint8Array): Uint8Array =>
  concatBytes(id, encoded.subarray(encoded.length - 64));

/** The transaction root of a header over these encoded transactions and their ids, 32 bytes. */
export const transactionRootOf = (ids: readonly Uint8Array[], encoded: readonly Uint8Array[]): Uint8Array =>
  merkleRootOfHashes(ids.map((id, index) => transactionLeafHash(id, encoded[index] ?? new Uint8Array(64))));

/** What a leaf is hashed from: 0x00, id, signature. Filled anew for each leaf, hashed on the spot. */
const leafInput = new Uint8Array(1 + 32 + 64);

/** `leafHash(transactionLeaf(id, encoded))` without a copy of its own for each of thousands. */
function transactionLeafHash(id: Uint8Array, encoded: Uint8Array): Uint8Array {
  // A transaction of a peer may be too short to have a signature; its leaf is as short.
  if (id.length !== 32 || encoded.length < 64) return leafHash(transactionLeaf(id, encoded));
  leafInput.set(id, 1);
  leafInput.set(encoded.subarray(encoded.length - 64), 33);
  return sha256(leafInput);
}

/** Where a chain stands, as far as the next header is judged by it. */
export interface ChainPosition {
  readonly network: Uint8Array;
  readonly height: number;
  /** Digest of the last header; at height 0 the network. */
  readonly digest: Uint8Array;
  readonly time: number;
  /** V(height + 1). */
  readonly validators: ValidatorSet;
  /** V(height + 2). */
  readonly nextValidators: ValidatorSet;
}

/** The rule that `header` breaks as the next one after `at`, or undefined. Knows no clock, state or body. */
export function headerProblem(header: BlockHeader, at: ChainPosition): string | undefined {
  if (header.version !== 1) return `version ${header.version} is not known`;
  if (!sameBytes(header.network, at.network)) return 'another network';
  if (header.height !== at.height + 1) return `height ${header.height} where ${at.height + 1} is next`;
  if (!sameBytes(header.previous, at.digest)) return 'another parent';
  if (header.time <= at.time) return `time ${header.time} is not after the parent's ${at.time}`;
  const proposer = at.validators.validators[validatorIndex(at.validators, header.proposer)];
  if (proposer === undefined) return 'the proposer is not a validator of this height';
  if (proposer.sequence !== header.proposerSequence) return 'the sequence of the proposer is wrong';
  if (!sameBytes(header.validators, validatorSetHash(at.validators))) return 'another validator set';
  if (!sameBytes(header.nextValidators, validatorSetHash(at.nextValidators))) return 'another next validator set';
  return undefined;
}

/** The rule that the body breaks that `header` commits to, or undefined. `ids` are those of `transactions`. */
export function bodyProblem(
  header: BlockHeader,
  transactions: readonly Uint8Array[],
  ids: readonly Uint8Array[],
  genesis: Genesis,
): string | undefined {
  if (header.transactionCount !== transactions.length) {
    return `${transactions.length} transactions where the header says ${header.transactionCount}`;
  }
  if (transactions.length > genesis.maxBlockTransactions) return `more than ${genesis.maxBlockTransactions} transactions`;
  let size = 0;
  for (const transaction of transactions) {
    if (transaction.length > genesis.maxTransactionBytes) return `a transaction of ${transaction.length} bytes`;
    size += transaction.length;
  }
  if (size > genesis.maxBlockBytes) return `${size} bytes of transactions where ${genesis.maxBlockBytes} are allowed`;
  if (!sameBytes(header.transactionRoot, transactionRootOf(ids, transactions))) return 'another transaction root';
  if (new Set(ids.map((id) => Buffer.from(id).toString('latin1'))).size !== ids.length) return 'a transaction twice';
  return undefined;
}

/** The rule that a transaction breaks in a block of `height`, but for its signature, or undefined. */
export function transactionProblem(
  transaction: Pick<DecodedTransaction['value'], 'network' | 'expiresAt'>,
  height: number,
  network: Uint8Array,
  window: number,
): string | undefined {
  if (!sameBytes(transaction.network, network)) return 'a transaction of another network';
  if (transaction.expiresAt < height) return `a transaction that expired at height ${transaction.expiresAt}`;
  if (transaction.expiresAt > height + window) return 'a transaction that expires beyond the window';
  return undefined;
}

/** A position that was reached by checking every block from the genesis on. */
export interface VerifiedPosition extends ChainPosition {
  readonly genesis: Genesis;
  readonly system: SystemState;
}

/** The position before block 1. @throws ERR_SNAPSHOT_INVALID for a recovered network, which `verifiedSnapshot` begins with */
export function verifiedGenesis(genesis: Genesis): VerifiedPosition {
  if (genesis.recovery !== undefined) {
    throw failure('ERR_SNAPSHOT_INVALID', 'a recovered network begins with members that its genesis alone does not hold');
  }
  const network = networkOf(genesis);
  const validators = genesisValidators(genesis);
  const system = genesisSystemState(genesis);
  return { genesis, network, height: 0, digest: network, time: genesis.time, validators, nextValidators: validators, system };
}

/**
 * Checks the next block of a chain with nothing but the genesis to start from: parent, time, proposer, validator sets,
 * transaction root, the form, window and signature of every transaction, and the certificate under V(height). The
 * validator sets are not taken from anybody: they follow from the membership transactions in the blocks, executed here,
 * and every header commits to their hashes. Not checked: the application's state root (that needs the application), and
 * that no transaction was committed before (that needs the ids of the last W blocks).
 * @returns the position after the block
 * @throws ERR_BLOCK_INVALID, ERR_CERTIFICATE_INVALID
 */
export function verifyNextBlock(at: VerifiedPosition, certified: CertifiedBlock): VerifiedPosition {
  const height = at.height + 1;
  const invalid = (rule: string): Error => failure('ERR_BLOCK_INVALID', `block ${height}: ${rule}`);
  const { block, header, certificate } = readCertified(certified, invalid);
  const problem = headerProblem(header, at);
  if (problem !== undefined) throw invalid(problem);
  const digest = headerDigest(block.header, at.network);
  const ids = block.transactions.map((transaction) => transactionId(transaction, at.network));
  const wrong = bodyProblem(header, block.transactions, ids, at.genesis);
  if (wrong !== undefined) throw invalid(wrong);
  let { system } = at;
  for (const [index, encoded] of block.transactions.entries()) {
    const transaction = readTransaction(encoded, invalid);
    const broken = transactionProblem(transaction.value, height, at.network, at.genesis.window);
    if (broken !== undefined) throw invalid(broken);
    const { sender, signature, membership } = transaction.value;
    if (!verifySignature(sender, transactionSigningBytes(encoded, at.network), signature)) {
      throw invalid('a transaction without a valid signature');
    }
    if (membership === undefined) continue;
    const change = { id: ids[index] ?? transaction.id, sender, membership };
    system = applyMembership(system, change, { genesis: at.genesis, network: at.network, height }).state;
  }
  requireCertificate(certificate, at, digest);
  return {
    ...at,
    height,
    digest,
    time: header.time,
    validators: at.nextValidators,
    nextValidators: scheduledSet(system),
    system,
  };
}

/** Walks certified blocks from block 1 on with {@link verifyNextBlock}. @returns the position after the last one */
export async function verifyChain(
  genesis: Genesis,
  blocks: AsyncIterable<CertifiedBlock> | Iterable<CertifiedBlock>,
): Promise<VerifiedPosition> {
  let at = verifiedGenesis(genesis);
  for await (const block of blocks) at = verifyNextBlock(at, block);
  return at;
}

function requireCertificate(certificate: Certificate, at: VerifiedPosition, digest: Uint8Array): void {
  const height = at.height + 1;
  const invalid = (what: string): Error => failure('ERR_CERTIFICATE_INVALID', `block ${height}: ${what}`);
  if (certificate.height !== height) throw invalid(`the certificate is for height ${certificate.height}`);
  for (const check of certificateChecks(certificate, at.network, at.validators, digest)) {
    if (!verifySignature(check.publicKey, check.message, check.signature)) throw invalid('a seal without a valid signature');
  }
}

function readCertified(
  certified: CertifiedBlock,
  invalid: (rule: string) => Error,
): { block: Block; header: BlockHeader; certificate: Certificate } {
  try {
    const block = Block.decodeCanonical(certified.block);
    const header = BlockHeader.decodeCanonical(block.header);
    return { block, header, certificate: Certificate.decode(certified.certificate) };
  } catch (error) {
    if (isItChainError(error)) throw invalid(error.message);
    throw error;
  }
}

function readTransaction(encoded: Uint8Array, invalid: (rule: string) => Error): DecodedTransaction {
  try {
    return decodeTransaction(encoded);
  } catch (error) {
    throw invalid(messageOf(error));
  }
}
