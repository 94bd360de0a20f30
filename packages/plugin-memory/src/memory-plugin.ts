import { Storage, definePlugin, packageVersion, failure, isItChainError } from '@it-chain/contracts';
import { MemoryConfig } from './memory-config.js';
import { MemoryLevelStorage } from './memory-level-storage.js';

/** The plugin that serves the storage role in memory. */
export const memoryPlugin = definePlugin({
  name: 'memory',
  version: packageVersion(import.meta.url),
  provides: [Storage],
  config: MemoryConfig,
  setup(context) {
    const { log, clock } = context;
    const held = context.metrics.gauge('storage_bytes', 'Bytes of keys and values in memory');
    const writeSeconds = context.metrics.histogram('storage_write_seconds', 'Time from a write to its answer', {
      labels: ['sync'],
    });
    const failing = (error: Error): void => {
      const { code, message } = isItChainError(error) ? error : failure('ERR_STORAGE_IO', error.message);
      log.error('the store is failing', { code, reason: message });
      context.health({ state: 'failing', reason: message });
      void context.emit(Storage.events.failing, { code, message });
      context.fatal('io', error);
    };
    const storage = new MemoryLevelStorage(context.config, { failing });
    context.serve(Storage, {
      read: (request) => storage.read(request),
      range: (request) => storage.range(request),
      write: async (request) => {
        const started = clock.monotonic();
        const answer = await storage.write(request);
        writeSeconds.observe((clock.monotonic() - started) / 1_000, { sync: String(request.sync) });
        held.set(storage.bytes);
        return answer;
      },
      verify: () => storage.verify(),
    });
    return {
      start() {
        log.warn('the store is in memory: nothing in it survives the end of this process', {
          hint: 'Use @it-chain/plugin-leveldb for a ledger that is to be kept.',
        });
      },
      stop: () => storage.close(),
    };
  },
});
