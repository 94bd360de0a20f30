import {
  Block,
  BlockHeader,
  Certificate,
  certificateChecks,
  failure,
  headerDigest,
  verifySignature,
  type CertifiedBlock,
  type Chain,
  type ChainTip,
} from '@it-chain/contracts';

/** Blocks between two syncs to disk. */
const SYNC_EVERY = 200;

/**
 * Commits the block after `tip`, trusting nobody: a quorum of V(height) must have signed it, and chain checks and
 * executes it as any other.
 * @returns the new tip
 * @throws ERR_CERTIFICATE_INVALID, ERR_BLOCK_INVALID, ERR_DATA_MALFORMED, ERR_CHAIN_DIVERGED
 */
export async function appendBlock(
  chain: Chain,
  tip: ChainTip,
  certified: CertifiedBlock,
  last: boolean,
): Promise<ChainTip> {
  const height = tip.height + 1;
  const block = Block.decode(certified.block);
  const certificate = Certificate.decode(certified.certificate);
  const digest = headerDigest(block.header, tip.network);
  const header = BlockHeader.decodeCanonical(block.header);
  if (header.height !== height || certificate.height !== height) {
    throw failure('ERR_CERTIFICATE_INVALID', `a block of height ${header.height} came where ${height} is next`);
  }
  for (const { publicKey, message, signature } of certificateChecks(certificate, tip.network, tip.validators, digest)) {
    if (verifySignature(publicKey, message, signature)) continue;
    throw failure('ERR_CERTIFICATE_INVALID', `the certificate of height ${height} has an invalid signature`);
  }
  const sync = last || height % SYNC_EVERY === 0;
  return chain.commit({ height, digest, certificate, block, clearLogBelow: height + 1, sync });
}
