import type { ServiceDefinition } from '@grpc/grpc-js';
import { NodeService, isItChainError, type AnyMethod, type Infer, type ItChainError } from '@it-chain/contracts';

export type MethodName = keyof NodeService['methods'];
export type RequestOf<K extends MethodName> = Infer<NodeService['methods'][K]['in']>;
export type ReplyOf<K extends MethodName> = Infer<NodeService['methods'][K]['out']>;

/** A request as it was read, or why it could not be read: a decoder that throws would be answered without a code. */
export type Incoming = { readonly value: unknown; readonly error?: undefined } | { readonly error: ItChainError };

/** Encodes an answer; answers cross grpc-js as bytes, so that their size is known where they are sent. */
export function encodeReply(method: AnyMethod, value: unknown): Buffer {
  return asBuffer(method.out.encode(value));
}

/** The service for `Server.addService`: paths and serializers, from the definition in contracts. */
export function grpcDefinition(): ServiceDefinition {
  return Object.fromEntries(
    Object.entries<AnyMethod>(NodeService.methods).map(([key, method]) => [
      key,
      {
        path: `/${NodeService.fullName}/${method.name}`,
        requestStream: method.requestStream,
        responseStream: method.responseStream,
        requestSerialize: (value: unknown) => asBuffer(method.in.encode(value)),
        requestDeserialize: (bytes: Buffer): Incoming => read(method, bytes),
        responseSerialize: (bytes: Buffer) => bytes,
        responseDeserialize: (bytes: Buffer) => bytes,
      },
    ]),
  );
}

function read(method: AnyMethod, bytes: Buffer): Incoming {
  try {
    return { value: method.in.decode(bytes) as unknown };
  } catch (error) {
    if (isItChainError(error)) return { error };
    throw error;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
