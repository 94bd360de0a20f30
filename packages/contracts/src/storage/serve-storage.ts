import { z } from 'zod';
import { failure } from '../errors/fail.js';
import { hasCode, isItChainError } from '../errors/it-chain-error.js';
import type { PluginContext, Running } from '../plugin/plugin.js';
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
  const { clock, log, metrics } = context;
  const queued = metrics.gauge('storage_queued_bytes', 'Bytes of writes that wait');
  const seconds = metrics.histogram('storage_write_seconds', 'Time from a write to its answer', { labels: ['sync'] });
  let store: OrderedStore | undefined;
  const opened = (): OrderedStore => {
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
    verify: async () => opened().verify(),
  });
  return {
    async start() {
      store = new OrderedStore(await open(), context.config, { failing });
    },
    async stop() {
      await store?.close();
      store = undefined;
    },
  };
}
