import sodium from 'sodium-native';
import { concatBytes, sha256 } from './hash.js';

/** What a signature is for. The tag in front of the signed bytes is `it-chain/<domain>/1`. */
export type Domain = 'handshake' | 'record' | 'vote' | 'transaction' | 'genesis' | 'join' | 'block' | 'recovery';

/** Stands for the network where there is none yet: 32 zero bytes. */
export const NO_NETWORK: Uint8Array = new Uint8Array(32);

const tags = new Map<string, Uint8Array>();

function tagOf(domain: string): Uint8Array {
  const known = tags.get(domain);
  if (known !== undefined) return known;
  const text = Buffer.from(`it-chain/${domain}/1`, 'utf8');
  const tag = concatBytes(new Uint8Array([text.length]), text);
  tags.set(domain, tag);
  return tag;
}

/**
 * The bytes that are signed or hashed: length of the tag (1 byte), tag, network (32 bytes), content.
 * The length in front makes tags prefix-free, so no content of one domain is content of another.
 */
export function signingBytes(domain: Domain, network: Uint8Array, content: Uint8Array): Uint8Array {
  return concatBytes(tagOf(domain), network, content);
}

/** SHA-256 of {@link signingBytes}: the digest of a thing in its domain, 32 bytes. */
export function domainDigest(domain: Domain, network: Uint8Array, content: Uint8Array): Uint8Array {
  return sha256(signingBytes(domain, network, content));
}

/** An Ed25519 key pair. `secretKey` is libsodium's 64 bytes: seed and public key. */
export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** The key pair of a seed of 32 bytes (RFC 8032 section 5.1.5). */
export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  if (seed.length !== 32) throw new RangeError(`a seed has 32 bytes, not ${seed.length}`);
  const publicKey = Buffer.alloc(32);
  const secretKey = Buffer.alloc(64);
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, Buffer.from(seed));
  return { publicKey, secretKey };
}

/** Signs `message` with Ed25519 (RFC 8032). 64 bytes. */
export function signBytes(message: Uint8Array, secretKey: Uint8Array): Uint8Array {
  const signature = Buffer.alloc(64);
  sodium.crypto_sign_detached(signature, asBuffer(message), asBuffer(secretKey));
  return signature;
}

/**
 * The one definition of a valid signature: libsodium's strict, cofactorless, non-batched verification. It refuses keys
 * and R of small order and S that is not reduced; the edge cases are golden tests of this package. Never throws.
 */
export function verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  return sodium.crypto_sign_verify_detached(asBuffer(signature), asBuffer(message), asBuffer(publicKey));
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
