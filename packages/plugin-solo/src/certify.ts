import { BlockHeader, type BuiltBlock, type Certificate, type Identity, type Infer } from '@it-chain/contracts';

/** The certificate of one: the COMMIT signature of the only validator. */
export async function certify(
  identity: Identity,
  network: Uint8Array,
  { block, digest }: Infer<typeof BuiltBlock>,
): Promise<Infer<typeof Certificate>> {
  const { height } = BlockHeader.decode(block.header);
  const vote = { type: 'commit' as const, height, round: 0, digest };
  const { signature } = await identity.signVote({ network, vote });
  return { height, round: 0, digest, seals: [{ validator: 0, signature }] };
}
