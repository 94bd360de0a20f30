import { Metadata, status, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import { errorCatalogue, isItChainError, type ItChainError } from '@it-chain/contracts';
import { STATUS_DETAILS_TRAILER, statusDetails } from './status-details.js';

/** The trailer that carries `{ code, message, hint, retryable, data }` as JSON in ASCII. */
export const ERROR_TRAILER = 'it-chain-error';
/** Longest message that is put into a trailer, in characters: HTTP/2 peers limit their headers. */
const MAX_TEXT = 1_024;

const STATUS_OF: Readonly<Record<string, status>> = {
  ERR_INTERNAL: status.INTERNAL,
  ERR_DATA_MALFORMED: status.INVALID_ARGUMENT,
  ERR_DATA_INVALID: status.INVALID_ARGUMENT,
  ERR_KV_MALFORMED: status.INVALID_ARGUMENT,
  ERR_TX_MALFORMED: status.INVALID_ARGUMENT,
  ERR_TX_SIGNATURE: status.INVALID_ARGUMENT,
  ERR_TX_TOO_LARGE: status.INVALID_ARGUMENT,
  ERR_TXPOOL_FULL: status.RESOURCE_EXHAUSTED,
  ERR_TXPOOL_SENDER_LIMIT: status.RESOURCE_EXHAUSTED,
  ERR_BUS_FULL: status.RESOURCE_EXHAUSTED,
  ERR_BUS_MESSAGE_TOO_LARGE: status.RESOURCE_EXHAUSTED,
  ERR_API_BUSY: status.RESOURCE_EXHAUSTED,
  ERR_API_SLOW_SUBSCRIBER: status.RESOURCE_EXHAUSTED,
  ERR_PEER_BUSY: status.RESOURCE_EXHAUSTED,
  ERR_API_UNKNOWN_EVENT: status.INVALID_ARGUMENT,
  ERR_PEER_ADDRESS: status.INVALID_ARGUMENT,
  ERR_API_UNAUTHENTICATED: status.UNAUTHENTICATED,
  ERR_API_STOPPING: status.UNAVAILABLE,
  ERR_BLOCK_NOT_FOUND: status.NOT_FOUND,
  ERR_PEER_NOT_CONNECTED: status.NOT_FOUND,
  ERR_BUS_NO_PROVIDER: status.UNAVAILABLE,
  ERR_BUS_PROVIDER_LOST: status.UNAVAILABLE,
  ERR_BUS_CLOSED: status.UNAVAILABLE,
  ERR_BUS_UNREACHABLE: status.UNAVAILABLE,
  ERR_PEER_UNREACHABLE: status.UNAVAILABLE,
  ERR_BUS_TIMEOUT: status.DEADLINE_EXCEEDED,
  ERR_PEER_TIMEOUT: status.DEADLINE_EXCEEDED,
  ERR_ROLE_UNKNOWN_CALL: status.UNIMPLEMENTED,
  ERR_STORAGE_DAMAGED: status.DATA_LOSS,
  ERR_SAFETY_VIOLATION: status.DATA_LOSS,
  ERR_CHAIN_DIVERGED: status.DATA_LOSS,
};

/** The gRPC status of a code. What is not in the table was refused for what the node or the request is: FAILED_PRECONDITION. */
export function statusOf(error: ItChainError): status {
  return STATUS_OF[error.code] ?? (error.retryable ? status.UNAVAILABLE : status.FAILED_PRECONDITION);
}

/** What can be done about a code, from the catalogue; empty for codes of other plugins. */
export function hintOf(code: string): string {
  return (errorCatalogue as Readonly<Record<string, { readonly fix: string } | undefined>>)[code]?.fix ?? '';
}

/**
 * Anything that was thrown as a gRPC error: status, message, and code and hint in {@link ERROR_TRAILER} and in the
 * {@link STATUS_DETAILS_TRAILER}. The text of an error that is not of this framework stays in the log of the node.
 */
export function toGrpcError(error: unknown): StatusObject & ServiceError {
  const known = isItChainError(error);
  const code = known ? error.code : 'ERR_INTERNAL';
  const message = (known ? error.message : 'the node failed unexpectedly; its log says more').slice(0, MAX_TEXT);
  const metadata = new Metadata();
  const hint = (known ? error.hint : undefined) ?? hintOf(code);
  const retryable = known && error.retryable;
  const data = known ? error.data : undefined;
  metadata.set(ERROR_TRAILER, toAscii(JSON.stringify({ code, message, hint, retryable, data })));
  const grpc = known ? statusOf(error) : status.INTERNAL;
  metadata.set(STATUS_DETAILS_TRAILER, statusDetails(grpc, { code, message, retryable, data }, hint));
  return Object.assign(new Error(message), { code: grpc, details: message, metadata });
}

/** Metadata holds printable ASCII only; JSON has an escape for everything else. */
function toAscii(json: string): string {
  return json.replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
