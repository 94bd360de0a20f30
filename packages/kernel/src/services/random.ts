import { randomBytes as nodeRandomBytes } from 'node:crypto';

/** `length` bytes from the operating system's random source. */
export function randomBytes(length: number): Uint8Array {
  return nodeRandomBytes(length);
}
