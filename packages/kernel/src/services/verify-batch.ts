import type { SignatureCheck } from '@it-chain/contracts';
// This alone: the thread is to be up soon.
import { verifySignature } from '@it-chain/contracts/signing';

const KEY = 32;
const SIGNATURE = 64;
const HEAD = KEY + SIGNATURE + 4;

/** True where the lengths are right; anything else is never valid and is not sent to the worker. */
export const isWellFormed = (check: SignatureCheck): boolean =>
  check.publicKey.length === KEY && check.signature.length === SIGNATURE;

/** Packs well-formed checks into one buffer that can be transferred: key, signature, length of the message, message. */
export function packChecks(checks: readonly SignatureCheck[]): ArrayBuffer {
  let size = 0;
  for (const check of checks) size += HEAD + check.message.length;
  const packed = new ArrayBuffer(size);
  const bytes = new Uint8Array(packed);
  const view = new DataView(packed);
  let at = 0;
  for (const { publicKey, signature, message } of checks) {
    bytes.set(publicKey, at);
    bytes.set(signature, at + KEY);
    view.setUint32(at + KEY + SIGNATURE, message.length);
    bytes.set(message, at + HEAD);
    at += HEAD + message.length;
  }
  return packed;
}

/** Verifies what {@link packChecks} packed: one byte each, 1 for valid. */
export function verifyPacked(packed: ArrayBuffer, count: number): ArrayBuffer {
  const bytes = new Uint8Array(packed);
  const view = new DataView(packed);
  const verdicts = new Uint8Array(new ArrayBuffer(count));
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    const length = view.getUint32(at + KEY + SIGNATURE);
    const end = at + HEAD + length;
    const valid = verifySignature(
      bytes.subarray(at, at + KEY),
      bytes.subarray(at + HEAD, end),
      bytes.subarray(at + KEY, at + KEY + SIGNATURE),
    );
    verdicts[index] = valid ? 1 : 0;
    at = end;
  }
  return verdicts.buffer;
}
