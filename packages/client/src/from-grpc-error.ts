import { status, type ServiceError } from '@grpc/grpc-js';
import { decodeError, failure, isItChainError, messageOf, utf8, type ItChainError } from '@it-chain/contracts';

/** The trailer in which a node sends code, message and hint as JSON. */
const ERROR_TRAILER = 'it-chain-error';

/**
 * Any error of a call as an error with a code. What the node said itself keeps its code and hint; what the connection
 * said becomes ERR_CLI_CANNOT_CONNECT, ERR_CLI_TIMEOUT, ERR_BUS_MESSAGE_TOO_LARGE or ERR_INTERNAL.
 */
export function fromGrpcError(error: unknown, address: string): ItChainError {
  if (isItChainError(error)) return error;
  const { code, details, metadata } = error as Partial<ServiceError>;
  const trailer = metadata?.get(ERROR_TRAILER)[0];
  if (trailer !== undefined) return decodeError(utf8(trailer.toString()));
  const why = details === undefined || details === '' ? messageOf(error) : details;
  switch (code) {
    case status.UNAVAILABLE:
      return failure('ERR_CLI_CANNOT_CONNECT', `no node answers at ${address}: ${inShort(why)}`, {
        hint: 'Start the node, or give its address with --api HOST:PORT.',
        retryable: true,
        cause: error,
      });
    case status.DEADLINE_EXCEEDED:
      return failure('ERR_CLI_TIMEOUT', `the node at ${address} did not answer in time`, {
        retryable: true,
        cause: error,
      });
    case status.RESOURCE_EXHAUSTED:
      return failure('ERR_BUS_MESSAGE_TOO_LARGE', `the node at ${address} refused: ${why}`, { cause: error });
    case status.UNIMPLEMENTED:
      return failure('ERR_ROLE_UNKNOWN_CALL', `what answers at ${address} does not know this call: ${why}`, {
        hint: 'Is it the client API of a node of this version?',
        cause: error,
      });
    default:
      return failure('ERR_INTERNAL', `the call to ${address} failed: ${why}`, { cause: error });
  }
}

/** The one word of a failed connection that matters, out of gRPC's account of all its attempts. */
function inShort(why: string): string {
  return /\b(?:E[A-Z]{4,}|ETIMEDOUT)\b/.exec(why)?.[0] ?? why;
}
