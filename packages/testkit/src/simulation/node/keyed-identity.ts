import {
  concatBytes,
  failure,
  nodeIdOf,
  sameBytes,
  sha256,
  signingBytes,
  toHex,
  utf8,
  voteSigningBytes,
  type Domain,
  type Identity,
  type SignatureCheck,
} from '@it-chain/contracts';

const SECRET = utf8('known to the simulation alone');

/** A keyed hash that stands for Ed25519: 64 bytes that the code under simulation cannot make for another key. */
export function keyedSignature(publicKey: Uint8Array, message: Uint8Array): Uint8Array {
  const tag = sha256(concatBytes(SECRET, publicKey, message));
  return concatBytes(tag, tag);
}

/** `context.verify` of the simulation. */
export function verifyKeyed(checks: readonly SignatureCheck[]): Promise<boolean[]> {
  return Promise.resolve(
    checks.map(({ publicKey, message, signature }) => sameBytes(signature, keyedSignature(publicKey, message))),
  );
}

/** The identity role of one node. Its guard, where it has one, is durable by itself. */
export function keyedIdentity(
  self: { readonly publicKey: Uint8Array; readonly name: string },
  guard: Map<string, string> | undefined,
  onVote: (slot: string, digest: string) => void,
): Identity {
  const { publicKey, name } = self;
  return {
    get: async () => ({ publicKey, nodeId: nodeIdOf(publicKey), name }),
    sign: async ({ domain, network, content }) => ({
      signature: keyedSignature(publicKey, signingBytes(domain as Domain, network, content)),
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
      return { signature: keyedSignature(publicKey, voteSigningBytes(network, vote)) };
    },
  };
}
