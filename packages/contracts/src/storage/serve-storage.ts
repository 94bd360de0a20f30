import { z } from 'zod';
import { failure } from '../errors/fail.js';
import { hasCode, isItChainError } from '../errors/it-chain-error.js';
import type { PluginContext, Running } from '../plugin/plugin.js';
import type { Served } from '../plugin/role.js';
import { Storage } from '../roles/storage.js';
import type { OrderedMap } from './ordered-map.js';
import { OrderedStore } from './ordered-store.js';

/** Settings of every store that {@link serveStorage} runs: `z.strictObject({ ...storageSettings, own: ... }).prefault({})`. */
export const storageSettings = {
  maxQueuedBytes: z
    .int()
    .min(1024 * 1024)
    .default(128 * 1024 * 1024)
    .describe('Bytes of writes that may wait before more are refused'),
};

/** {@link storageSettings}, checked and with defaults. */
export type StorageSettings = { readonly [K in keyof typeof storageSettings]: z.output<(typeof storageSettings)[K]> };

/**
 * Serves the role storage on an {@link OrderedMap}, which `open` opens when the plugin starts. Call it in `setup` and give
 * its result back. A map that fails ends the node with its code, so that nothing is written behind what nobody knows.
 */
export function serveStorage(context: PluginContext<StorageSettings>, open: () => Promise<OrderedMap>): Running {
  return serveStore(context, async (failing) => new OrderedStore(await open(), context.config, { failing }));
}

/** What {@link serveStore} serves: the calls of the role, and how much waits. */
export type OpenStore = Served<typeof Storage> & {
  /** Bytes of writes that wait. */
  readonly queuedBytes: number;
  /** Resolves when what was begun is done. */
  close(): Promise<void>;
};

/**
 * Serves the role storage on a whole store, which `open` opens when the plugin starts: its metrics, and the end of the node when
 * the store tells `failing` that it cannot be trusted any more. Call it in `setup` and give its result back.
 */
export function serveStore(
  context: PluginContext,
  open: (failing: (error: Error) => void) => Promise<OpenStore>,
): Running {
  const { clock, log, metrics } = context;
  const queued = metrics.gauge('storage_queued_bytes', 'Bytes of writes that wait');
  const seconds = metrics.histogram('storage_write_seconds', 'Time from a write to its answer', { labels: ['sync'] });
  let store: OpenStore | undefined;
  const opened = (): OpenStore => {
    if (store === undefined) throw failure('ERR_STORAGE_CLOSED', 'the store is not open', { retryable: true });
    return store;
  };
  const failing = (error: Error): void => {
    const { code, message } = isItChainError(error) ? error : failure('ERR_STORAGE_IO', error.message);
    log.error('the store is failing', { code, reason: message });
    context.health({ state: 'failing', reason: message });
    void context.emit(Storage.events.failing, { code, message });
    context.fatal(hasCode(error, 'ERR_STORAGE_DAMAGED') ? 'damaged' : 'io', error);
  };
  context.serve(Storage, {
    read: async (request) => opened().read(request),
    range: async (request) => opened().range(request),
    write: async (request) => {
      const started = clock.monotonic();
      const answer = await opened().write(request);
      seconds.observe((clock.monotonic() - started) / 1_000, { sync: String(request.sync) });
      queued.set(store?.queuedBytes ?? 0);
      return answer;
    },
    verify: async (request, call) => opened().verify(request, call),
  });
  return {
    async start() {
      store = await open(failing);
    },
    async stop() {
      await store?.close();
      store = undefined;
    },
  };
}
