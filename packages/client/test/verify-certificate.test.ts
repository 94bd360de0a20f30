import { expect } from 'chai';
import { keyPairFromSeed, majorityOf, nodeIdOf, sha256, signBytes, utf8, voteSigningBytes } from '@it-chain/contracts';
import { verifyCertificate } from '@it-chain/client';

describe('verifyCertificate', () => {
  const network = sha256(utf8('network'));
  const digest = sha256(utf8('block'));
  const keys = ['a', 'b', 'c', 'd', 'e'].map((name) => keyPairFromSeed(sha256(utf8(name))));
  const validators = { validators: keys.map(({ publicKey }, sequence) => ({ publicKey, sequence })) };
  const block = { network, height: 7, digest, validators };
  const certificateOf = (count: number) => ({
    height: 7,
    round: 2,
    digest,
    seals: keys.slice(0, count).map(({ secretKey }, validator) => ({
      validator,
      signature: signBytes(voteSigningBytes(network, { type: 'commit', height: 7, round: 2, digest }), secretKey),
    })),
  });

  it('asks for the quorum of QBFT, unless it is told that a majority decides', () => {
    expect(() => verifyCertificate(certificateOf(3), block)).to.throw('has 3 seals where 4 of 5 are due');
    expect(verifyCertificate(certificateOf(4), block)).to.have.length(4);
    const raft = { ...block, quorum: majorityOf };
    expect(verifyCertificate(certificateOf(3), raft)).to.deep.equal(
      keys.slice(0, 3).map(({ publicKey }) => nodeIdOf(publicKey)),
    );
    expect(() => verifyCertificate(certificateOf(2), raft)).to.throw('has 2 seals where 3 of 5 are due');
  });
});
