import type { Metadata } from '@grpc/grpc-js';
import { failure, type AnyMethod, type PluginContext } from '@it-chain/contracts';
import type { AdminAccess } from './admin-access.js';
import type { ApiConfig } from './api-config.js';

/** The facts of a call that decide whether it may run. */
export interface GuardedCall {
  readonly metadata: Metadata;
  getPeer(): string;
}

/** Lets calls in within the limits, and counts what came of them. */
export class CallGuard {
  #inFlight = 0;
  #streams = 0;
  #submitStreams = 0;
  #closing = false;
  #idle: (() => void) | undefined;
  readonly #options: Pick<ApiConfig, 'maxInFlight' | 'maxStreams' | 'maxSubmitStreams'>;
  readonly #dependencies: { readonly context: Pick<PluginContext, 'metrics' | 'clock'>; readonly admin: AdminAccess };
  readonly #requests;
  readonly #seconds;
  readonly #streamGauge;

  constructor(
    options: Pick<ApiConfig, 'maxInFlight' | 'maxStreams' | 'maxSubmitStreams'>,
    dependencies: { readonly context: Pick<PluginContext, 'metrics' | 'clock'>; readonly admin: AdminAccess },
  ) {
    this.#options = options;
    this.#dependencies = dependencies;
    const { metrics } = dependencies.context;
    this.#requests = metrics.counter('gateway_requests_total', 'Calls of the client API that ended.', [
      'method',
      'code',
    ]);
    this.#seconds = metrics.histogram('gateway_request_seconds', 'Time to answer a call of the client API.', {
      labels: ['method'],
    });
    this.#streamGauge = metrics.gauge('gateway_streams', 'Streams of the client API that are open.');
  }

  /** Runs a call within the limit of its kind. @throws ERR_API_BUSY, ERR_API_STOPPING, ERR_API_UNAUTHENTICATED */
  async run<T>(method: AnyMethod, call: GuardedCall, work: () => Promise<T>): Promise<T> {
    const stream = method.responseStream;
    const started = this.#dependencies.context.clock.monotonic();
    let code = 'OK';
    try {
      this.#admit(method, call);
      this.#count(method, 1);
      try {
        return await work();
      } finally {
        this.#count(method, -1);
      }
    } catch (error) {
      code = (error as { readonly code?: unknown }).code?.toString() ?? 'ERR_INTERNAL';
      throw error;
    } finally {
      this.#requests.add(1, { method: method.name, code });
      if (!stream) {
        this.#seconds.observe((this.#dependencies.context.clock.monotonic() - started) / 1_000, {
          method: method.name,
        });
      }
    }
  }

  /** Takes no more calls; resolves when none is being answered. */
  close(): Promise<void> {
    this.#closing = true;
    if (this.#open === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  get #open(): number {
    return this.#inFlight + this.#streams + this.#submitStreams;
  }

  #admit(method: AnyMethod, call: GuardedCall): void {
    if (this.#closing) throw failure('ERR_API_STOPPING', 'the node is stopping', { retryable: true });
    if (method.admin) {
      this.#dependencies.admin.check(method.name, call.getPeer(), call.metadata.get('authorization')[0]?.toString());
    }
    const { maxSubmitStreams, maxStreams, maxInFlight } = this.#options;
    const [open, most, what] = method.requestStream
      ? [this.#submitStreams, maxSubmitStreams, 'submit streams']
      : method.responseStream
        ? [this.#streams, maxStreams, 'streams']
        : [this.#inFlight, maxInFlight, 'calls'];
    if (open >= most) throw failure('ERR_API_BUSY', `${open} ${what} are open already`, { retryable: true });
  }

  #count({ requestStream, responseStream }: AnyMethod, by: 1 | -1): void {
    if (requestStream) this.#submitStreams += by;
    else if (responseStream) this.#streams += by;
    else this.#inFlight += by;
    this.#streamGauge.set(this.#streams + this.#submitStreams);
    if (this.#open === 0) this.#idle?.();
  }
}
