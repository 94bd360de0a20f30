import { expect } from 'chai';
import fc from 'fast-check';
import {
  SPARSE_EMPTY,
  SparseProof,
  sha256,
  sparseBit,
  sparseLeafHash,
  sparseNodeHash,
  toHex,
  utf8,
  verifySparseProof,
} from '@it-chain/contracts';

const leaf = (key: string, value: string): Uint8Array => sparseLeafHash(sha256(utf8(key)), sha256(utf8(value)));

describe('sparse Merkle tree', () => {
  it('has these hashes (golden)', () => {
    expect(toHex(SPARSE_EMPTY)).to.equal('00'.repeat(32));
    expect(toHex(leaf('a', '1'))).to.equal('40b3aff522c0bae10cbe057e460498e836bd21445897adb3dcf19bd6198b7260');
    expect(toHex(sparseNodeHash(leaf('a', '1'), SPARSE_EMPTY))).to.equal(
      'c9cfb090bb8a068d113d282a3c72f4cfc3a3bc31a39ca87dc7cfc02a26464ee7',
    );
    // SHA-256("a") begins with bits 11, SHA-256("b") with 00: they part at the root.
    expect(toHex(sparseNodeHash(leaf('b', '2'), leaf('a', '1')))).to.equal(
      '03dea20d75b7a7e21db347611046ff120c81afb3a8afc0b36edd57cce931a10d',
    );
  });

  it('verifies a proof by hand: presence, absence at an empty place, absence beside another leaf', () => {
    const root = sparseNodeHash(leaf('b', '2'), leaf('a', '1'));
    const beside = SparseProof.encode({ siblings: [leaf('b', '2')] });
    expect(toHex(beside)).to.equal('0a20391b3400ae4db289d73de0ce1cd9a324f2fa9462ea283889ab045e4c8eb8b31b');
    expect(verifySparseProof(root, utf8('a'), utf8('1'), beside)).to.equal(true);
    expect(verifySparseProof(root, utf8('a'), utf8('2'), beside)).to.equal(false);
    expect(verifySparseProof(root, utf8('a'), undefined, beside)).to.equal(false);
    const empty = SparseProof.encode({ siblings: [] });
    expect(verifySparseProof(SPARSE_EMPTY, utf8('a'), undefined, empty)).to.equal(true);
    expect(verifySparseProof(leaf('a', '1'), utf8('a'), utf8('1'), empty)).to.equal(true);
    const other = SparseProof.encode({ siblings: [], otherKey: sha256(utf8('b')), otherValue: sha256(utf8('2')) });
    expect(verifySparseProof(leaf('b', '2'), utf8('a'), undefined, other)).to.equal(true);
    expect(verifySparseProof(leaf('b', '2'), utf8('b'), undefined, other)).to.equal(false);
    const half = SparseProof.encode({ siblings: [], otherKey: sha256(utf8('b')) });
    expect(verifySparseProof(leaf('b', '2'), utf8('a'), undefined, half)).to.equal(false);
  });

  it('never throws for bytes that are no proof', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 40 }), (proof, key) => {
        expect(verifySparseProof(sha256(key), key, undefined, proof)).to.equal(false);
      }),
    );
  });

  it('numbers bits from the highest of the first byte', () => {
    const hash = Uint8Array.from([0b1000_0001, 0b0100_0000, ...new Array<number>(30).fill(0)]);
    expect([0, 1, 7, 8, 9].map((depth) => sparseBit(hash, depth))).to.deep.equal([1, 0, 1, 0, 1]);
  });
});
