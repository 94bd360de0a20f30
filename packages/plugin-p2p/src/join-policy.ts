import { failure, sameBytes, type Genesis, type MembersAnswer } from '@it-chain/contracts';

/** How a join is brought into the chain. `proposed`: it is put to the vote already, by the transaction `id`. */
export type JoinVerdict =
  { readonly way: 'join' } | { readonly way: 'vote' } | { readonly way: 'proposed'; readonly id: Uint8Array };

/**
 * The chain decides; this only tells the joiner at once what the chain would say. Without `members` the genesis holds.
 * @throws ERR_JOIN_REFUSED
 */
export function judgeJoin(members: MembersAnswer | undefined, genesis: Genesis, publicKey: Uint8Array): JoinVerdict {
  const { admission, allowlist } = members?.policy ?? genesisPolicy(genesis);
  const proposed = members?.state.proposals.find(({ action }) => isFor(action.admit?.publicKey, publicKey));
  if (proposed !== undefined) return { way: 'proposed', id: proposed.id };
  if (admission === 'vote') return { way: 'vote' };
  if (admission === 'allowlist' && !allowlist.some((key) => sameBytes(key, publicKey))) {
    throw failure('ERR_JOIN_REFUSED', 'the joiner is not on the allowlist of the network');
  }
  const evicted = members?.state.evicted.find((one) => one.readmitted === 0 && sameBytes(one.publicKey, publicKey));
  if (evicted !== undefined) {
    throw failure(
      'ERR_JOIN_REFUSED',
      `the joiner was evicted at height ${evicted.height}${evicted.reason === '' ? '' : ` (${evicted.reason})`}: only a vote of the validators brings it back`,
    );
  }
  return { way: 'join' };
}

/** Joins that a validator has proposed and that wait for votes. */
export function ownJoinProposals(members: MembersAnswer | undefined, self: Uint8Array): number {
  const own = members?.state.proposals.filter(
    ({ action, proposer }) => action.admit !== undefined && sameBytes(proposer, self),
  );
  return own?.length ?? 0;
}

const genesisPolicy = ({ admission, allowlist, growth }: Genesis): MembersAnswer['policy'] => ({
  admission,
  allowlist,
  growth,
});

const isFor = (key: Uint8Array | undefined, publicKey: Uint8Array): boolean =>
  key !== undefined && sameBytes(key, publicKey);
