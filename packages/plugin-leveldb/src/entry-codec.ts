import { NAMESPACES, failure, sameBytes, sha256, toHex, type Namespace } from '@it-chain/contracts';

/** Bytes of the checksum in front of every stored value. */
export const CHECKSUM_BYTES = 8;

/** First byte of the keys of the plugin's own entries; namespaces begin at 1. */
const META = 0;

const prefixes = new Map<Namespace, number>(NAMESPACES.map((namespace, index) => [namespace, index + 1]));

/** The key of an entry in LevelDB: one byte for the namespace in front. */
export function storedKey(namespace: Namespace, key: Uint8Array): Buffer {
  const made = Buffer.allocUnsafe(1 + key.length);
  made[0] = prefixes.get(namespace) ?? META;
  made.set(key, 1);
  return made;
}

/** The first key behind a namespace. */
export function namespaceEnd(namespace: Namespace): Buffer {
  return Buffer.from([(prefixes.get(namespace) ?? META) + 1]);
}

/** The key of an entry of the plugin's own. */
export function metaKey(name: string): Buffer {
  return Buffer.concat([Buffer.from([META]), Buffer.from(name, 'utf8')]);
}

/** A value behind its checksum: the first 8 bytes of the SHA-256 over value, stored key and the key's length. */
export function sealValue(key: Uint8Array, value: Uint8Array): Buffer {
  const work = Buffer.allocUnsafe(CHECKSUM_BYTES + value.length + key.length + 2);
  work.set(value, CHECKSUM_BYTES);
  work.set(key, CHECKSUM_BYTES + value.length);
  work.writeUInt16LE(key.length, work.length - 2);
  work.set(sha256(work.subarray(CHECKSUM_BYTES)).subarray(0, CHECKSUM_BYTES), 0);
  return work.subarray(0, CHECKSUM_BYTES + value.length);
}

/** Takes the checksum off. @throws ERR_STORAGE_DAMAGED where it does not match */
export function openValue(key: Uint8Array, stored: Uint8Array): Uint8Array {
  const value = stored.subarray(CHECKSUM_BYTES);
  if (stored.length < CHECKSUM_BYTES || !sameBytes(sealValue(key, value), stored)) {
    throw failure('ERR_STORAGE_DAMAGED', `the value of ${describeKey(key)} does not match its checksum`);
  }
  return value;
}

/** A stored key for a message: its namespace and the key in hex. */
export function describeKey(key: Uint8Array): string {
  const namespace = NAMESPACES[(key[0] ?? 0) - 1] ?? 'store';
  return `${namespace}/${toHex(key.subarray(1, 65))}`;
}
