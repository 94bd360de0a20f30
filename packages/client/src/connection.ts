import { readFileSync } from 'node:fs';
import {
  Client as GrpcClient,
  Metadata,
  credentials,
  type CallOptions as GrpcCallOptions,
  type ChannelCredentials,
  type ClientDuplexStream,
  type ClientReadableStream,
} from '@grpc/grpc-js';
import { NodeService, type AnyMethod, type Infer } from '@it-chain/contracts';
import { fromGrpcError } from './from-grpc-error.js';

/** Where a node is and how it is spoken to. */
export interface ClientOptions {
  /** `HOST:PORT` of the client API. */
  readonly address: string;
  /** The node's token (`<dataDir>/api.token`), for admin calls from another host. */
  readonly token?: string | undefined;
  /** Speak TLS. `ca`: path of a PEM file to trust instead of the system's; `serverName`: the name in the certificate. */
  readonly tls?: { readonly ca?: string | undefined; readonly serverName?: string | undefined } | undefined;
  /** Deadline of a call, in ms. Default 10,000; calls that take longer by nature have their own. */
  readonly timeoutMs?: number | undefined;
  /** Largest message, in bytes. Default 8 MiB: a block of 4 MiB and its certificate. */
  readonly maxMessageBytes?: number | undefined;
}

/** What may be said about one call. */
export interface CallOptions {
  /** Deadline in ms; streams have none unless it is given. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

type Methods = NodeService['methods'];
export type MethodName = keyof Methods;
export type RequestOf<K extends MethodName> = Infer<Methods[K]['in']>;
export type ReplyOf<K extends MethodName> = Infer<Methods[K]['out']>;

/** The gRPC channel to one node: typed calls by the definition in contracts, errors with codes. */
export class Connection {
  readonly address: string;
  readonly #grpc: GrpcClient;
  readonly #metadata = new Metadata();
  readonly #timeoutMs: number;

  constructor(options: ClientOptions) {
    this.address = options.address;
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    if (options.token !== undefined && options.token !== '')
      this.#metadata.set('authorization', `Bearer ${options.token}`);
    const most = options.maxMessageBytes ?? 8 * 1024 * 1024;
    this.#grpc = new GrpcClient(options.address, credentialsOf(options), {
      'grpc.max_receive_message_length': most,
      'grpc.max_send_message_length': most,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 2_000,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
      'grpc.enable_channelz': 0,
      // A client talks to the node it was given, not through a proxy of the environment.
      'grpc.enable_http_proxy': 0,
      ...(options.tls?.serverName === undefined ? {} : { 'grpc.ssl_target_name_override': options.tls.serverName }),
    });
  }

  /** One request, one answer. */
  unary<K extends MethodName>(name: K, request: RequestOf<K>, options: CallOptions = {}): Promise<ReplyOf<K>> {
    const method: AnyMethod = NodeService.methods[name];
    return new Promise((resolve, reject) => {
      const { signal } = options;
      const call = this.#grpc.makeUnaryRequest(
        path(method),
        (value: unknown) => asBuffer(method.in.encode(value)),
        (bytes: Buffer) => method.out.decode(bytes) as ReplyOf<K>,
        request,
        this.#metadata,
        this.#deadline(options.timeoutMs ?? this.#timeoutMs),
        (error, reply) => {
          signal?.removeEventListener('abort', abort);
          if (error !== null) reject(fromGrpcError(error, this.address));
          else if (reply !== undefined) resolve(reply);
        },
      );
      const abort = (): void => {
        call.cancel();
      };
      if (signal?.aborted === true) abort();
      signal?.addEventListener('abort', abort);
    });
  }

  /** One request, many answers; ends the call when the loop over it is left. */
  async *stream<K extends MethodName>(
    name: K,
    request: RequestOf<K>,
    options: CallOptions = {},
  ): AsyncGenerator<ReplyOf<K>, void> {
    const method: AnyMethod = NodeService.methods[name];
    const call: ClientReadableStream<ReplyOf<K>> = this.#grpc.makeServerStreamRequest(
      path(method),
      (value: unknown) => asBuffer(method.in.encode(value)),
      (bytes: Buffer) => method.out.decode(bytes) as ReplyOf<K>,
      request,
      this.#metadata,
      this.#deadline(options.timeoutMs),
    );
    const abort = (): void => {
      call.cancel();
    };
    if (options.signal?.aborted === true) abort();
    options.signal?.addEventListener('abort', abort);
    try {
      for await (const reply of call as AsyncIterable<ReplyOf<K>>) yield reply;
    } catch (error) {
      if (options.signal?.aborted !== true) throw fromGrpcError(error, this.address);
    } finally {
      options.signal?.removeEventListener('abort', abort);
      call.on('error', () => {
        // The cancellation of our own doing comes back as an error that nobody waits for.
      });
      call.cancel();
    }
  }

  /** Many requests, many answers. */
  duplex<K extends MethodName>(name: K): ClientDuplexStream<RequestOf<K>, ReplyOf<K>> {
    const method: AnyMethod = NodeService.methods[name];
    return this.#grpc.makeBidiStreamRequest(
      path(method),
      (value: unknown) => asBuffer(method.in.encode(value)),
      (bytes: Buffer) => method.out.decode(bytes) as ReplyOf<K>,
      this.#metadata,
      {},
    );
  }

  close(): void {
    this.#grpc.close();
  }

  #deadline(timeoutMs: number | undefined): GrpcCallOptions {
    return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
  }
}

function credentialsOf({ tls }: ClientOptions): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  return credentials.createSsl(tls.ca === undefined ? null : readFileSync(tls.ca));
}

const path = (method: AnyMethod): string => `/${NodeService.fullName}/${method.name}`;

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
