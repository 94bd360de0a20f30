import { bytes, message, nested, repeated, string, uint32, type ItChainError } from '@it-chain/contracts';

/** The trailer in which gRPC libraries look for details of an error. */
export const STATUS_DETAILS_TRAILER = 'grpc-status-details-bin';
const DOMAIN = 'it-chain';
const TYPE_URL = 'type.googleapis.com/google.rpc.ErrorInfo';

/** google/rpc/error_details.proto: an entry of `map<string, string>`. */
const MetadataEntry = message('MetadataEntry', { key: string(1), value: string(2) });
/** google/rpc/error_details.proto. `reason` is the code, `metadata` has `hint`, `retryable` and the facts of the error. */
export const ErrorInfo = message('ErrorInfo', {
  reason: string(1),
  domain: string(2),
  metadata: repeated(nested(3, MetadataEntry)),
});
/** google/protobuf/any.proto. */
const Any = message('Any', { typeUrl: string(1), value: bytes(2) });
/** google/rpc/status.proto. */
export const RpcStatus = message('Status', { code: uint32(1), message: string(2), details: repeated(nested(3, Any)) });

/** An error as google.rpc.Status with one ErrorInfo, for clients in any language (google.aip.dev/193). */
export function statusDetails(
  code: number,
  error: Pick<ItChainError, 'code' | 'message' | 'retryable'> & Partial<Pick<ItChainError, 'data'>>,
  hint: string,
): Buffer {
  const facts = Object.entries(error.data ?? {}).map(([key, value]) => ({ key, value: String(value) }));
  const metadata = [{ key: 'hint', value: hint }, { key: 'retryable', value: String(error.retryable) }, ...facts];
  const info = ErrorInfo.encode({ reason: error.code, domain: DOMAIN, metadata });
  const status = { code, message: error.message, details: [{ typeUrl: TYPE_URL, value: info }] };
  return Buffer.from(RpcStatus.encode(status));
}
