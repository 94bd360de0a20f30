import type { ErrorCode } from './catalogue/index.js';
import { ItChainError, type ErrorDetails } from './it-chain-error.js';

/** Makes an error with a code of the catalogue; so a code that is not in docs/errors.md does not compile. */
export function failure(code: ErrorCode, message: string, details: ErrorDetails = {}): ItChainError {
  return new ItChainError(code, message, details);
}
