import {
  Storage,
  definePlugin,
  packageVersion,
  failure,
  hasCode,
  isItChainError,
  type Served,
} from '@it-chain/contracts';
import { LevelDbConfig } from './leveldb-config.js';
import { LevelStorage } from './level-storage.js';

/** The plugin that serves the storage role on LevelDB. */
export const leveldbPlugin = definePlugin({
  name: 'leveldb',
  version: packageVersion(import.meta.url),
  provides: [Storage],
  config: LevelDbConfig,
  setup(context) {
    const { log, clock } = context;
    const writeSeconds = context.metrics.histogram('storage_write_seconds', 'Time from a write to its answer', {
      labels: ['sync'],
    });
    const queued = context.metrics.gauge('storage_queued_bytes', 'Bytes of writes that wait');
    let storage: LevelStorage | undefined;
    const opened = (): LevelStorage => {
      if (storage === undefined) throw failure('ERR_STORAGE_CLOSED', 'the store is not open', { retryable: true });
      return storage;
    };
    const failing = (error: Error): void => {
      const damaged = hasCode(error, 'ERR_STORAGE_DAMAGED');
      const { code, message } = isItChainError(error) ? error : failure('ERR_STORAGE_IO', error.message);
      log.error('the store is failing', { code, reason: message });
      context.health({ state: 'failing', reason: message });
      void context.emit(Storage.events.failing, { code, message });
      context.fatal(damaged ? 'damaged' : 'io', error);
    };
    const provider: Served<typeof Storage> = {
      read: async (request) => opened().read(request),
      range: async (request) => opened().range(request),
      write: async (request) => {
        const started = clock.monotonic();
        const answer = await opened().write(request);
        writeSeconds.observe((clock.monotonic() - started) / 1_000, { sync: String(request.sync) });
        queued.set(storage?.queuedBytes ?? 0);
        return answer;
      },
      compact: async (request) => opened().compact(request),
      verify: async () => opened().verify(),
    };
    context.serve(Storage, provider);
    return {
      async start() {
        storage = await LevelStorage.open(
          { directory: context.dataDir(), ...context.config },
          { clock, log, failing, random: (length) => context.random(length), failpoint: context.failpoint },
        );
      },
      async stop() {
        await storage?.close();
        storage = undefined;
      },
    };
  },
});
