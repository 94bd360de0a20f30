import { ItChainError, isItChainError } from './it-chain-error.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * The JSON bytes in which an error crosses the bus. An error that is not of this framework becomes ERR_INTERNAL without
 * its text: the detail belongs in the callee's log only.
 */
export function encodeError(error: unknown): Uint8Array {
  if (!isItChainError(error)) {
    return encoder.encode(JSON.stringify({ code: 'ERR_INTERNAL', message: 'the handler failed unexpectedly' }));
  }
  const { code, message, hint, retryable, data } = error;
  return encoder.encode(JSON.stringify({ code, message, hint, retryable, data }));
}

/** Reads what {@link encodeError} wrote; anything else becomes ERR_INTERNAL. Never throws. */
export function decodeError(bytes: Uint8Array): ItChainError {
  try {
    const read = JSON.parse(decoder.decode(bytes)) as Record<string, unknown>;
    if (typeof read['code'] !== 'string' || typeof read['message'] !== 'string') throw new TypeError('no code');
    return new ItChainError(read['code'], read['message'], {
      hint: typeof read['hint'] === 'string' ? read['hint'] : undefined,
      retryable: read['retryable'] === true,
      data: facts(read['data']),
    });
  } catch (cause) {
    return new ItChainError('ERR_INTERNAL', 'an error arrived that could not be read', { cause });
  }
}

function facts(value: unknown): Record<string, string | number | boolean> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const kept = Object.entries(value).filter((entry): entry is [string, string | number | boolean] =>
    ['string', 'number', 'boolean'].includes(typeof entry[1]),
  );
  return Object.fromEntries(kept);
}
