import { NAMESPACES, type Namespace } from '@it-chain/contracts';

const prefixes = new Map<Namespace, number>(NAMESPACES.map((namespace, index) => [namespace, index + 1]));

/** The key of an entry in the one tree: a byte for the namespace in front. Always a copy of `key`. */
export function storedKey(namespace: Namespace, key: Uint8Array): Uint8Array {
  const made = new Uint8Array(1 + key.length);
  made[0] = prefixes.get(namespace) ?? 0;
  made.set(key, 1);
  return made;
}

/** The first key behind a namespace. */
export function namespaceEnd(namespace: Namespace): Uint8Array {
  return new Uint8Array([(prefixes.get(namespace) ?? 0) + 1]);
}
