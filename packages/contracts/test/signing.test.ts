import { expect } from 'chai';
import { generateKeyPairSync, sign as nodeSign } from 'node:crypto';
import {
  concatBytes,
  fromHex,
  keyPairFromSeed,
  sha256,
  signBytes,
  signingBytes,
  toHex,
  utf8,
  verifySignature,
} from '@it-chain/contracts';
import { add, BASE, challenge, encodePoint, L, littleEndian, multiply, TORSION, ZERO } from './edwards.js';

const message = utf8('it-chain');

describe('signatures', () => {
  it('agrees with RFC 8032 section 7.1, tests 1 and 2', () => {
    const cases = [
      {
        seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
        key: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
        message: '',
        signature:
          'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
      },
      {
        seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
        key: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
        message: '72',
        signature:
          '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
      },
    ];
    for (const one of cases) {
      const keys = keyPairFromSeed(fromHex(one.seed)!);
      const content = fromHex(one.message)!;
      expect(toHex(keys.publicKey)).to.equal(one.key);
      expect(toHex(signBytes(content, keys.secretKey))).to.equal(one.signature);
      expect(verifySignature(keys.publicKey, content, fromHex(one.signature)!)).to.equal(true);
    }
  });

  it('accepts what node:crypto signs', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    expect(verifySignature(raw, message, nodeSign(null, message, privateKey))).to.equal(true);
  });

  it('refuses every flipped bit of a signature, a key or a message', () => {
    const keys = keyPairFromSeed(sha256(utf8('flip')));
    const signature = signBytes(message, keys.secretKey);
    const flip = (bytes: Uint8Array, bit: number): Uint8Array => {
      const copy = Uint8Array.from(bytes);
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return copy;
    };
    for (let bit = 0; bit < 512; bit += 1)
      expect(verifySignature(keys.publicKey, message, flip(signature, bit))).to.equal(false);
    for (let bit = 0; bit < 256; bit += 1)
      expect(verifySignature(flip(keys.publicKey, bit), message, signature)).to.equal(false);
    for (let bit = 0; bit < 64; bit += 1)
      expect(verifySignature(keys.publicKey, flip(message, bit), signature)).to.equal(false);
  });

  it('refuses wrong lengths without throwing', () => {
    const keys = keyPairFromSeed(sha256(utf8('length')));
    const signature = signBytes(message, keys.secretKey);
    expect(verifySignature(keys.publicKey.subarray(1), message, signature)).to.equal(false);
    expect(verifySignature(keys.publicKey, message, signature.subarray(1))).to.equal(false);
    expect(verifySignature(keys.publicKey, message, concatBytes(signature, signature))).to.equal(false);
  });

  it('refuses S that is not reduced: S + L signs the same thing otherwise', () => {
    const keys = keyPairFromSeed(sha256(utf8('malleable')));
    const signature = signBytes(message, keys.secretKey);
    let s = 0n;
    for (let index = 63; index >= 32; index -= 1) s = (s << 8n) | BigInt(signature[index] ?? 0);
    for (let times = 1n; s + times * L < 2n ** 256n; times += 1n) {
      const other = concatBytes(signature.subarray(0, 32), littleEndian(s + times * L));
      expect(verifySignature(keys.publicKey, message, other)).to.equal(false);
    }
  });

  it('refuses all keys and all R of small order', () => {
    const secret = 7n;
    const honest = encodePoint(multiply(BASE, secret));
    for (let times = 0n; times < 8n; times += 1n) {
      const small = encodePoint(times === 0n ? ZERO : multiply(TORSION, times));
      // S = 0, R of small order: with A of small order the equation holds for some messages.
      for (const r of [small, encodePoint(ZERO)]) {
        expect(verifySignature(small, message, concatBytes(r, littleEndian(0n)))).to.equal(false);
      }
      const h = challenge(small, honest, message);
      expect(verifySignature(honest, message, concatBytes(small, littleEndian((h * secret) % L)))).to.equal(false);
    }
  });

  it('refuses encodings that are not canonical: y >= p', () => {
    const p = 2n ** 255n - 19n;
    for (let y = 0n; y < 19n; y += 1n) {
      const key = littleEndian(p + y);
      expect(verifySignature(key, message, concatBytes(encodePoint(BASE), littleEndian(1n)))).to.equal(false);
      expect(verifySignature(encodePoint(BASE), message, concatBytes(key, littleEndian(1n)))).to.equal(false);
    }
  });

  it('is cofactorless: a key of mixed order verifies only where the torsion cancels', () => {
    // A' = aB + T. With R = rB, S = r + ha: SB = R + hA' holds only if hT = 0, that is 8 | h; cofactored it always holds.
    const secret = 12345n;
    const key = encodePoint(add(multiply(BASE, secret), TORSION));
    let accepted = 0;
    let refused = 0;
    for (let nonce = 1n; accepted === 0 || refused === 0; nonce += 1n) {
      const r = encodePoint(multiply(BASE, nonce));
      const h = challenge(r, key, message);
      const signature = concatBytes(r, littleEndian((nonce + h * secret) % L));
      // libsodium reduces h mod L first, which changes h mod 8.
      const cancels = (h % L) % 8n === 0n;
      expect(verifySignature(key, message, signature)).to.equal(cancels);
      if (cancels) accepted += 1;
      else refused += 1;
    }
  });

  it('keeps domains and networks apart', () => {
    const network = sha256(utf8('network'));
    const all = new Set<string>();
    for (const domain of ['handshake', 'record', 'vote', 'transaction', 'genesis', 'join', 'block'] as const) {
      all.add(toHex(signingBytes(domain, network, message)));
      all.add(toHex(signingBytes(domain, sha256(network), message)));
    }
    expect(all.size).to.equal(14);
    expect(toHex(signingBytes('vote', new Uint8Array(32), new Uint8Array([1])))).to.equal(
      `0f${toHex(utf8('it-chain/vote/1'))}${'00'.repeat(32)}01`,
    );
  });
});
