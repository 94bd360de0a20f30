import type {
  ServerDuplexStream,
  ServerUnaryCall,
  ServerWritableStream,
  UntypedServiceImplementation,
  sendUnaryData,
} from '@grpc/grpc-js';
import { failure, isItChainError, messageOf, NodeService, type AnyMethod, type Call } from '@it-chain/contracts';
import type { ApiConfig } from './api-config.js';
import type { CallGuard } from './call-guard.js';
import type { ClientApiDependencies, StreamHandlers, UnaryHandlers } from './handlers/handlers.js';
import { submitBatch } from './handlers/transactions.js';
import { encodeReply, type Incoming } from './service-definition.js';
import { Sink } from './sink.js';
import { toGrpcError } from './to-grpc-error.js';

/** What binding needs besides the handlers. */
export interface Binding {
  readonly options: ApiConfig;
  readonly dependencies: ClientApiDependencies;
  readonly guard: CallGuard;
  /** Aborts when the node stops: streams end. */
  readonly stopping: AbortSignal;
  /** Ends the connection of a peer (as `getPeer` names it) that does not take even the end of its stream. */
  cut(peer: string): void;
}

/** The handlers as grpc-js wants them. */
export function bindService(handlers: UnaryHandlers & StreamHandlers, binding: Binding): UntypedServiceImplementation {
  const bound: UntypedServiceImplementation = {};
  for (const [key, method] of Object.entries<AnyMethod>(NodeService.methods)) {
    if (method.requestStream) bound[key] = bindSubmitStream(method, binding);
    else if (method.responseStream)
      bound[key] = bindStream(method, handlers[key as keyof StreamHandlers] as AnyStream, binding);
    else bound[key] = bindUnary(method, handlers[key as keyof UnaryHandlers], binding);
  }
  return bound;
}

// The definition in contracts pairs each name with its messages; across the record of handlers TypeScript cannot.
type AnyUnary = (request: never, call: Call) => Promise<unknown>;
type AnyStream = (request: never, sink: Sink<unknown>) => Promise<void>;

function bindUnary(method: AnyMethod, handler: AnyUnary, binding: Binding) {
  return (call: ServerUnaryCall<Incoming, Buffer>, answer: sendUnaryData<Buffer>): void => {
    const gone = new AbortController();
    call.on('cancelled', () => {
      gone.abort();
    });
    binding.guard
      .run(method, call, async () => {
        const request = opened(call.request) as never;
        return encodeReply(method, await handler(request, { signal: gone.signal }));
      })
      .then(
        (reply) => {
          answer(null, reply);
        },
        (error: unknown) => {
          note(error, method, binding);
          answer(toGrpcError(error));
        },
      );
  };
}

function bindStream(method: AnyMethod, handler: AnyStream, binding: Binding) {
  return (call: ServerWritableStream<Incoming, Buffer>): void => {
    const gone = leaving(call, binding);
    const sink = new Sink<unknown>(binding.options.subscriber, {
      stream: call,
      encode: (value) => encodeReply(method, value),
      clock: binding.dependencies.context.clock,
      signal: gone.signal,
    });
    const work = binding.guard.run(method, call, async () => {
      await handler(opened(call.request) as never, sink);
      refuseWhenStopping(binding);
    });
    finish(work, method, call, gone, binding);
  };
}

function bindSubmitStream(method: AnyMethod, binding: Binding) {
  return (call: ServerDuplexStream<Incoming, Buffer>): void => {
    const gone = leaving(call, binding);
    const sink = new Sink<{ readonly results: Awaited<ReturnType<typeof submitBatch>> }>(binding.options.subscriber, {
      stream: call,
      encode: (value) => encodeReply(method, value),
      clock: binding.dependencies.context.clock,
      signal: gone.signal,
    });
    const work = binding.guard.run(method, call, async () => {
      // One batch at a time: the next is read when this one is durable and its answer has room.
      for await (const incoming of readOneByOne(call, gone.signal)) {
        const { transactions } = opened(incoming) as { readonly transactions: readonly Uint8Array[] };
        await sink.write({ results: await submitBatch(binding.dependencies, transactions, { signal: gone.signal }) });
      }
      refuseWhenStopping(binding);
    });
    finish(work, method, call, gone, binding);
  };
}

/** The requests of a stream, each read when the one before is done with; ends when the signal aborts. */
async function* readOneByOne(
  call: ServerDuplexStream<Incoming, Buffer>,
  signal: AbortSignal,
): AsyncGenerator<Incoming, void> {
  const queue: Incoming[] = [];
  let ended = false;
  let wake: (() => void) | undefined;
  const end = (): void => {
    ended = true;
    wake?.();
  };
  call.on('data', (incoming: Incoming) => {
    queue.push(incoming);
    call.pause();
    wake?.();
  });
  call.on('end', end);
  signal.addEventListener('abort', end);
  const over = (): boolean => ended || signal.aborted;
  for (;;) {
    const next = queue.shift();
    if (next !== undefined) yield next;
    else if (over()) return;
    else {
      call.resume();
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}

function opened(incoming: Incoming): unknown {
  if (incoming.error !== undefined) throw incoming.error;
  return incoming.value;
}

/** What both kinds of streams have. */
interface Outgoing {
  on(event: 'cancelled', listener: () => void): unknown;
  emit(event: 'error', error: Error): boolean;
  end(): unknown;
  getPeer(): string;
}

/** Aborts when the client has gone or the node stops. */
function leaving(call: Outgoing, { stopping }: Binding): AbortController {
  const gone = new AbortController();
  const abort = (): void => {
    gone.abort();
  };
  call.on('cancelled', abort);
  if (stopping.aborted) abort();
  stopping.addEventListener('abort', abort);
  gone.signal.addEventListener('abort', () => {
    stopping.removeEventListener('abort', abort);
  });
  return gone;
}

function refuseWhenStopping({ stopping }: Binding): void {
  if (stopping.aborted) throw failure('ERR_API_STOPPING', 'the node is stopping', { retryable: true });
}

function finish(work: Promise<void>, method: AnyMethod, call: Outgoing, gone: AbortController, binding: Binding): void {
  work
    .then(
      () => {
        call.end();
      },
      (error: unknown) => {
        note(error, method, binding);
        let closed = false;
        call.on('cancelled', () => {
          closed = true;
        });
        call.emit('error', toGrpcError(error));
        // The status waits behind what the client has not read. Who does not take it in time loses the connection.
        if (isItChainError(error) && error.code === 'ERR_API_SLOW_SUBSCRIBER') {
          binding.dependencies.context.clock.after(binding.options.subscriber.stalledMs, () => {
            if (!closed) binding.cut(call.getPeer());
          });
        }
      },
    )
    .finally(() => {
      gone.abort();
    });
}

/** What the client is not told is in the log. */
function note(error: unknown, method: AnyMethod, { dependencies }: Binding): void {
  if (isItChainError(error)) {
    dependencies.context.log.debug('an API call was refused', {
      method: method.name,
      code: error.code,
      reason: error.message,
    });
  } else {
    dependencies.context.log.error('an API call failed unexpectedly', {
      method: method.name,
      reason: messageOf(error),
    });
  }
}
