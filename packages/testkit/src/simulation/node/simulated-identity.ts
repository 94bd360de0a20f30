import {
  failure,
  nodeIdOf,
  signBytes,
  signingBytes,
  toHex,
  verifySignature,
  voteSigningBytes,
  type Domain,
  type Identity,
  type KeyPair,
  type SignatureCheck,
} from '@it-chain/contracts';

/**
 * `context.verify` of the simulation. The signatures of whole nodes are real ones: what a chain verifies by itself, such as
 * that of a joiner, would refuse anything else.
 */
export function verifyAll(checks: readonly SignatureCheck[]): Promise<boolean[]> {
  return Promise.resolve(
    checks.map(({ publicKey, message, signature }) => verifySignature(publicKey, message, signature)),
  );
}

/** The identity role of one node. Its guard, where it has one, is durable by itself. */
export function simulatedIdentity(
  { keys, name }: { readonly keys: KeyPair; readonly name: string },
  guard: Map<string, string> | undefined,
  onVote: (slot: string, digest: string) => void,
): Identity {
  const { publicKey, secretKey } = keys;
  return {
    get: async () => ({ publicKey, nodeId: nodeIdOf(publicKey), name }),
    sign: async ({ domain, network, content }) => ({
      signature: signBytes(signingBytes(domain as Domain, network, content), secretKey),
    }),
    signVote: async ({ network, vote }) => {
      const slot = `${toHex(network).slice(0, 8)}/${vote.type}/${vote.height}/${vote.round}`;
      const digest = toHex(vote.digest);
      const known = guard?.get(slot);
      if (known !== undefined && known !== digest) {
        throw failure('ERR_IDENTITY_DOUBLE_SIGN', `another ${vote.type} of ${vote.height}/${vote.round} was signed`);
      }
      guard?.set(slot, digest);
      onVote(slot, digest);
      return { signature: signBytes(voteSigningBytes(network, vote), secretKey) };
    },
  };
}
