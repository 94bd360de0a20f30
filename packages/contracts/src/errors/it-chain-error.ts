const MARK = Symbol.for('it-chain:error');

/** What may be said beside the code and the message of an error. */
export interface ErrorDetails {
  /** What the reader can do about it, as one imperative sentence. */
  readonly hint?: string | undefined;
  /** True where the same call may succeed later, unchanged. Default false. */
  readonly retryable?: boolean | undefined;
  /** The error that led to this one. Never crosses the bus. */
  readonly cause?: unknown;
  /** Small facts somebody may branch on. Crosses the bus; never a secret. */
  readonly data?: Readonly<Record<string, string | number | boolean>> | undefined;
}

/**
 * The one error type of the framework. Compare `code`, never the class: two copies of this package may be loaded.
 * The code is `ERR_<AREA>_<WHAT>` and stable; messages are not.
 */
export class ItChainError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly retryable: boolean;
  readonly data: Readonly<Record<string, string | number | boolean>> | undefined;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'ItChainError';
    this.code = code;
    this.hint = details.hint;
    this.retryable = details.retryable ?? false;
    this.data = details.data;
    Object.defineProperty(this, MARK, { value: true, enumerable: false });
  }
}

/** True for an error of this framework, also one made by another copy of this package. */
export function isItChainError(error: unknown): error is ItChainError {
  return typeof error === 'object' && error !== null && (error as { [MARK]?: unknown })[MARK] === true;
}

/** True where `error` is of this framework and has exactly this code. */
export function hasCode(error: unknown, code: string): error is ItChainError {
  return isItChainError(error) && error.code === code;
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
