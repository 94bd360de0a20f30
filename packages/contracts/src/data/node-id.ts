import { base58 } from '@scure/base';
import { sha256 } from './hash.js';

const ids = new WeakMap<Uint8Array, string>();

/** The id of a node: base58btc of the SHA-256 of its raw public key (32 bytes). The id proves itself; nobody assigns it. */
export function nodeIdOf(publicKey: Uint8Array): string {
  const known = ids.get(publicKey);
  if (known !== undefined) return known;
  if (publicKey.length !== 32) throw new RangeError(`a public key has 32 bytes, not ${publicKey.length}`);
  const id = base58.encode(sha256(publicKey));
  ids.set(publicKey, id);
  return id;
}

/** True for text of the form of a node id: base58btc of 32 bytes. */
export function isNodeId(text: string): boolean {
  try {
    return base58.decode(text).length === 32;
  } catch {
    // The library throws for any other character: that is the answer, not a fault.
    return false;
  }
}
