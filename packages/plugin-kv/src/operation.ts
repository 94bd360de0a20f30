import { KV_CODES, KvOperation, messageOf, type ErrorCode } from '@it-chain/contracts';
import { hashText, type HashText } from './fast-hash.js';

/** A payload that was read: what it does to one key. */
export interface Operation {
  readonly key: Uint8Array;
  /** The value to write; undefined deletes. */
  readonly value: Uint8Array | undefined;
  /** Present for a compare-and-set. */
  readonly when?: { readonly expected: Uint8Array | undefined } | undefined;
}

/** How a transaction ended. */
export interface Outcome {
  readonly code: number;
  readonly message: string;
}

/** Reads a payload, or says why it cannot be read. Never throws. */
export function readOperation(payload: Uint8Array): Operation | { readonly refused: string } {
  try {
    const { put, delete: remove, compareAndSet } = KvOperation.decodeCanonical(payload);
    if (put !== undefined) return { key: put.key, value: put.value };
    if (remove !== undefined) return { key: remove.key, value: undefined };
    if (compareAndSet === undefined) return { refused: 'no operation' };
    const { key, expected, value } = compareAndSet;
    return { key, value, when: { expected } };
  } catch (error) {
    return { refused: messageOf(error).slice(0, 500) };
  }
}

const CONFLICT: ErrorCode = 'ERR_KV_CONFLICT';
const DONE: Outcome = { code: KV_CODES.done, message: '' };

/** May the operation be done, where the present value has this hash (undefined: there is none)? */
export function judge(operation: Operation, present: HashText | undefined): Outcome {
  if (operation.when === undefined) return DONE;
  const { expected } = operation.when;
  const holds = (expected === undefined ? undefined : hashText(expected)) === present;
  if (holds) return DONE;
  const found = present === undefined ? 'has no value' : 'has another value';
  return { code: KV_CODES.conflict, message: `${CONFLICT}: the key ${found} where another was expected` };
}
