import { NAMESPACES, failure, sameBytes, sha256, toHex, type Namespace } from '@it-chain/contracts';

/** Bytes of the checksum in front of every stored value. */
const CHECKSUM_BYTES = 8;

/** A namespace as it is stored. */
export const numberOf = (namespace: Namespace): number => NAMESPACES.indexOf(namespace) + 1;

function checksum(namespace: number, key: Uint8Array, value: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt16LE(namespace, 0);
  length.writeUInt16LE(key.length, 2);
  return sha256(Buffer.concat([length, key, value])).subarray(0, CHECKSUM_BYTES);
}

/** A value behind its checksum over namespace, key and value: the server's own checksums may be off. */
export const sealValue = (namespace: number, key: Uint8Array, value: Uint8Array): Buffer =>
  Buffer.concat([checksum(namespace, key, value), value]);

/** Takes the checksum off. @throws ERR_STORAGE_DAMAGED where it does not match */
export function openValue(namespace: number, key: Uint8Array, stored: Uint8Array): Uint8Array {
  const value = stored.subarray(CHECKSUM_BYTES);
  if (
    stored.length < CHECKSUM_BYTES ||
    !sameBytes(stored.subarray(0, CHECKSUM_BYTES), checksum(namespace, key, value))
  ) {
    throw failure('ERR_STORAGE_DAMAGED', `the value of ${describeKey(namespace, key)} does not match its checksum`);
  }
  return value;
}

/** A key for a message: its namespace and the key in hex. */
export const describeKey = (namespace: number, key: Uint8Array): string =>
  `${NAMESPACES[namespace - 1] ?? 'nothing'}/${toHex(key.subarray(0, 64))}`;
